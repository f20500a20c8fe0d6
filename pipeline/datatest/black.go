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

// Black is a data set of black pictures of 8 by 8 pixels. Its training, validation and test splits all have these rows.
func Black(t testing.TB, rows ...Row) *data.Dataset {
	t.Helper()
	var black, lines bytes.Buffer
	require.NoError(t, png.Encode(&black, image.NewGray(image.Rect(0, 0, 8, 8))))
	for _, row := range rows {
		text, err := json.Marshal(row)
		require.NoError(t, err)
		fmt.Fprintf(&lines, "%s\n", text)
	}
	root := t.TempDir()
	for _, split := range []string{"train", "validation", "test"} {
		folder := filepath.Join(root, split)
		require.NoError(t, disk.MkdirAll(folder))
		require.NoError(t, disk.Write(filepath.Join(folder, "metadata.jsonl"), lines.Bytes()))
		for _, row := range rows {
			require.NoError(t, disk.Write(filepath.Join(folder, row.Picture), black.Bytes()))
		}
	}
	set, err := data.Open(data.Config{Root: root, Size: 8})
	require.NoError(t, err)
	return set
}
