package datatest

import (
	"archive/tar"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"espalier/pipeline/rows"
)

// Sample is a picture with its questions, whatever the form that it is written in.
type Sample struct {
	Name    string // of the picture, where a form has one
	Picture []byte
	Asked   []Asked
}

// Asked is a question.
type Asked struct {
	Question, Task, Category string
	Answers                  []string // none: it is left open
}

// Level is a flat picture of 8 by 8 pixels.
func Level(t testing.TB, red, green uint8) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 8, 8))
	for i := range 64 {
		img.Set(i%8, i/8, color.NRGBA{red, green, 7, 255})
	}
	var out bytes.Buffer
	require.NoError(t, png.Encode(&out, img))
	return out.Bytes()
}

// Write writes the samples as a split of a data set, in one of the forms: as one file, or as two shards.
func Write(t testing.TB, root, split string, form rows.Form, samples []Sample) {
	t.Helper()
	switch form {
	case rows.Lines:
		writePictures(t, filepath.Join(root, split), samples)
		var lines bytes.Buffer
		for _, s := range samples {
			for _, q := range s.Asked {
				lines.Write(append(marshal(t, q.fields("file_name", s.Name)), '\n'))
			}
		}
		write(t, filepath.Join(root, split, "metadata.jsonl"), lines.Bytes())
	case rows.Table:
		writePictures(t, root, samples)
		var out bytes.Buffer
		w := csv.NewWriter(&out)
		require.NoError(t, w.Write([]string{"path", "question", "answers", "task", "category"}))
		for _, s := range samples {
			for _, q := range s.Asked {
				cell := ""
				if q.Answers != nil {
					cell = string(marshal(t, q.Answers))
				}
				require.NoError(t, w.Write([]string{s.Name, q.Question, cell, q.Task, q.Category}))
			}
		}
		w.Flush()
		write(t, filepath.Join(root, split+".csv"), out.Bytes())
	case rows.List:
		writePictures(t, filepath.Join(root, "pictures"), samples)
		var all []any
		for _, s := range samples {
			all = append(all, map[string]any{"id": s.Name, "image": "pictures/" + s.Name, "conversations": s.turns()})
		}
		write(t, filepath.Join(root, split+".json"), marshal(t, all))
	case rows.Shards:
		for i, part := range halves(samples) {
			var out bytes.Buffer
			w := tar.NewWriter(&out)
			for k, s := range part {
				var asked []any
				for _, q := range s.Asked {
					asked = append(asked, q.fields("", ""))
				}
				member(t, w, fmt.Sprintf("%04d.png", k), s.Picture)
				member(t, w, fmt.Sprintf("%04d.json", k), marshal(t, asked))
			}
			require.NoError(t, w.Close())
			write(t, filepath.Join(root, fmt.Sprintf("%s-%05d.tar", split, i)), out.Bytes())
		}
	case rows.Parquet:
		for i, part := range halves(samples) {
			var table []tableRow
			for _, s := range part {
				for _, q := range s.Asked {
					table = append(table, tableRow{tablePicture{s.Picture, s.Name}, q.Question, q.Answers, q.Task, q.Category})
				}
			}
			var out bytes.Buffer
			w := parquet.NewGenericWriter[tableRow](&out, parquet.MaxRowsPerRowGroup(10), parquet.Compression(&parquet.Snappy))
			_, err := w.Write(table)
			require.NoError(t, err)
			require.NoError(t, w.Close())
			write(t, filepath.Join(root, "data", fmt.Sprintf("%s-%05d-of-00002.parquet", split, i)), out.Bytes())
		}
	}
}

// tableRow is a row as Hugging Face's data sets have it.
type tableRow struct {
	Image    tablePicture `parquet:"image"`
	Question string       `parquet:"question"`
	Answers  []string     `parquet:"answers,list"`
	Task     string       `parquet:"task"`
	Category string       `parquet:"category"`
}

type tablePicture struct {
	Bytes []byte `parquet:"bytes,optional"`
	Path  string `parquet:"path,optional"`
}

func (q Asked) fields(pictureKey, name string) map[string]any {
	f := map[string]any{"question": q.Question, "task": q.Task, "category": q.Category}
	if pictureKey != "" {
		f[pictureKey] = name
	}
	if q.Answers != nil {
		f["answer"] = q.Answers
	}
	return f
}

// turns are a picture's questions as one conversation; the first begins with the place of the picture, as LLaVA's do.
func (s Sample) turns() (turns []any) {
	for i, q := range s.Asked {
		asked := map[string]any{"from": "human", "value": q.Question, "task": q.Task, "category": q.Category}
		if i == 0 {
			asked["value"] = "<image>\n" + q.Question
		}
		turns = append(turns, asked)
		if q.Answers != nil {
			turns = append(turns, map[string]any{"from": "gpt", "value": q.Answers[0], "answers": q.Answers})
		}
	}
	return turns
}

func halves(samples []Sample) [][]Sample {
	return [][]Sample{samples[:len(samples)/2], samples[len(samples)/2:]}
}

func writePictures(t testing.TB, folder string, samples []Sample) {
	t.Helper()
	for _, s := range samples {
		write(t, filepath.Join(folder, s.Name), s.Picture)
	}
}

func write(t testing.TB, path string, data []byte) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, data, 0o644)) // not synced, unlike what a run writes: thousands of small files
}

func member(t testing.TB, w *tar.Writer, name string, data []byte) {
	t.Helper()
	require.NoError(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(data)), Typeflag: tar.TypeReg}))
	_, err := w.Write(data)
	require.NoError(t, err)
}

func marshal(t testing.TB, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	require.NoError(t, err)
	return text
}
