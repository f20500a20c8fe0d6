package image

import "bytes"

// Pixels reads the header of a picture's file alone: how many pixels there are. What Decode would refuse for its size is refused.
func Pixels(data []byte) (int, error) {
	k, err := kindOf(data)
	if err != nil {
		return 0, err
	}
	return k.checkHeader(bytes.NewReader(data), int64(len(data)))
}
