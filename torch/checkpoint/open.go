package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"espalier/torch/disk"
	"espalier/torch/textfile"
)

// format is a form of files that Open knows.
type format struct {
	name  string
	sniff func(head []byte, size int64) bool // head is the file's first 512 bytes, or all of a smaller one
	open  func(path, key string) (Source, error)
}

var formats = []format{
	{"PyTorch archive", startsWith("PK\x03\x04", "PK\x05\x06"), openArchiveFile},
	{"PyTorch legacy stream", isLegacy, openLegacy},
	{"PyTorch tar archive", isTar, refuseTar},
	{"safetensors", isSafeTensors, withoutKey(func(path string) (Source, error) { return OpenSafeTensors(path) })},
	{"gotorch's gob", func(head []byte, _ int64) bool { return isGob(head) }, withoutKey(openGob)}, // has no magic of its own
}

// Open opens a checkpoint of any known format, which it finds by the content: safetensors, files of torch.save of any age
// but the oldest, TorchScript, libtorch's torch::save, gotorch's gob, and Hugging Face folders of them.
//
// key chooses a part of a nested checkpoint, such as "model" or "state/model" of {"state": {"model": …, "optimizer": …}};
// "." is all of it. Without a key, a state dict is taken as it is, and of a training checkpoint the one part that holds
// tensors beside the optimizer; when there are several, the error lists them.
func Open(path, key string) (Source, error) {
	info, err := disk.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return openFolder(path, key)
	}
	head, err := readHead(path)
	if err != nil {
		return nil, err
	}
	if textfile.IsPointer(head) {
		return nil, fmt.Errorf("%s %s", path, textfile.Pointer)
	}
	for _, f := range formats {
		if f.sniff(head, info.Size()) {
			return f.open(path, key)
		}
	}
	return nil, fmt.Errorf("%s: %s", path, notACheckpoint(head))
}

func readHead(path string) ([]byte, error) {
	f, _, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	return head[:n], nil
}

func startsWith(magics ...string) func([]byte, int64) bool {
	return func(head []byte, _ int64) bool {
		for _, m := range magics {
			if bytes.HasPrefix(head, []byte(m)) {
				return true
			}
		}
		return false
	}
}

func isSafeTensors(head []byte, _ int64) bool {
	return len(head) > 8 && head[8] == '{' && binary.LittleEndian.Uint64(head) <= maxHeader
}

// withoutKey opens a format that has no nested parts.
func withoutKey(open func(path string) (Source, error)) func(path, key string) (Source, error) {
	return func(path, key string) (Source, error) {
		if key != "" && key != "." {
			return nil, fmt.Errorf("%s: no key %q: this format has no nested parts; leave the key empty", path, key)
		}
		return open(path)
	}
}

// notACheckpoint says what the file is instead, where it can be told.
func notACheckpoint(head []byte) string {
	for magic, what := range map[string]string{
		"\x89HDF":    "an HDF5 file, as Keras writes; convert it to safetensors in Python",
		"<":          "a web page, not a checkpoint: the download went wrong",
		"GGUF":       "a GGUF file: its tensors are quantized for llama.cpp; take the original checkpoint",
		"\x1f\x8b":   "compressed with gzip: unpack it first",
		"7z\xbc\xaf": "a 7z archive: unpack it first",
		"\x93NUMPY":  "a NumPy array; convert it to safetensors in Python",
	} {
		if bytes.HasPrefix(bytes.TrimLeft(head, " \r\n\t"), []byte(magic)) {
			return what
		}
	}
	if len(head) == 0 {
		return "the file is empty; is the download complete?"
	}
	return fmt.Sprintf("no checkpoint of a known format: it starts with % x", head[:min(len(head), 16)])
}
