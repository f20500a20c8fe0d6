package image

import "bytes"

// Size is the width and the height of a picture as its header has them, before it is turned as its notes say. data is a file as for
// Decode; its pixels are not read.
func Size(data []byte) (width, height int, err error) {
	k, err := kindOf(data)
	if err != nil {
		return 0, 0, err
	}
	c, err := k.header(bytes.NewReader(data))
	if err != nil {
		return 0, 0, k.fault(err)
	}
	return c.Width, c.Height, nil
}
