// Package datatest makes small data sets for tests.
package datatest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/png"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/pipeline/data"
	"espalier/torch/disk"
)

// Row is a question about a picture, as a line of a metadata.jsonl.
type Row struct {
	Picture  string `json:"file_name"`
	Question string `json:"question"`
	Answer   string `json:"answer"`
	Task     string `json:"task"`
}

// Black is a data set of pictures of 8 by 8 pixels that are all but black: each has a grey of its own, since a picture is known by its
// bytes. Its training, validation and test splits all have these rows.
func Black(t testing.TB, rows ...Row) *data.Dataset {
	t.Helper()
	var lines bytes.Buffer
	pictures := map[string][]byte{}
	for _, row := range rows {
		text, err := json.Marshal(row)
		require.NoError(t, err)
		fmt.Fprintf(&lines, "%s\n", text)
		if pictures[row.Picture] == nil {
			img := image.NewGray(image.Rect(0, 0, 8, 8))
			for i := range img.Pix {
				img.Pix[i] = uint8(len(pictures))
			}
			var file bytes.Buffer
			require.NoError(t, png.Encode(&file, img))
			pictures[row.Picture] = file.Bytes()
		}
	}
	root := t.TempDir()
	for _, split := range []string{"train", "validation", "test"} {
		folder := filepath.Join(root, split)
		require.NoError(t, disk.MkdirAll(folder))
		require.NoError(t, disk.Write(filepath.Join(folder, "metadata.jsonl"), lines.Bytes()))
		for name, data := range pictures {
			require.NoError(t, disk.Write(filepath.Join(folder, name), data))
		}
	}
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	return set
}
