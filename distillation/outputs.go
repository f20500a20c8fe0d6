package distillation

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/disk"
)

// Outputs are what the losses need of a teacher, computed once for each picture and kept in a file: the logits of every
// answer token, or, where the vocabulary is large, the hidden states behind them, from which the teacher's own head makes
// the logits again; or what an [OutputForm] asks for.
type Outputs struct {
	rows  *os.File
	index outputsIndex
	dtype torch.DType
	head  func(*torch.Tensor) *torch.Tensor // nil when the file holds logits
	kept  []int                             // the columns of the logits that are read; nil for all
}

// OutputForm says what is kept of a teacher's logits. The zero value keeps all.
type OutputForm struct {
	TopK         int       // so many tokens of each position: the right one and the strongest others; 0 keeps all
	Temperatures []float64 // at which a loss asks for the mass of the others
}

// The files of kept outputs: the rows one after another, and where each picture's are.
const (
	rowsName  = "outputs.rows"
	indexName = "outputs.json"
)

// outputsIndex is the file outputs.json, written when the rows are whole.
type outputsIndex struct {
	Kind    string `json:"kind"` // of what a row is: "logits", "hidden" or "top-k"
	DType   string `json:"dtype"`
	Width   int    `json:"width"`   // logits or hidden states of a row
	Offsets []int  `json:"offsets"` // first row of each picture, and the number of all rows

	Temperatures []float64 `json:"temperatures,omitempty"` // of top-k: those of the masses in a row
}

// hiddenPays is how many times wider than the hidden states the logits must be before those are kept instead: making
// logits of them again costs a matrix product at each step.
const hiddenPays = 4

// outputsWriter is outputs that are being written.
type outputsWriter struct {
	form  OutputForm
	index outputsIndex
	rows  *disk.Appender
	sum   hash.Hash

	pieces *torch.Pieces
	keeper disk.Keeper
}

// outputsPlace is how far an interrupted writer came.
type outputsPlace struct {
	Index  outputsIndex   `json:"index"`
	Pieces []torch.Growth `json:"pieces,omitempty"`
	SHA256 string         `json:"sha256"` // of the rows so far
}

// WriteOutputs runs the teacher over batches that together hold every picture once, in order, and writes its outputs into a
// folder as they are computed: those of a half-precision teacher as they are, others as float16 (in which the logits'
// differences matter less than the teacher's own errors), or as float32 where one of them lies beyond float16's range. batches
// begins with the picture number from: an interrupted attempt goes on after the last batch that it kept. It is called once more,
// from the first picture on, when an output is found to lie beyond the range. Where memory is
// short pieces divides the batches; nil never does.
func WriteOutputs(folder string, teacher model.Network, form OutputForm, pieces *torch.Pieces, keep Keep, note func(text string), batches func(from int, yield func(*model.Batch) error) error) (err error) {
	w := &outputsWriter{form: form, pieces: pieces, keeper: disk.NewKeeper(keep, note)}
	if err := w.open(folder); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.rows.Close()) }()
	write := func() error {
		return batches(w.pictures(), func(b *model.Batch) error {
			if err := w.add(teacher, b); err != nil {
				return err
			}
			if w.keeper.Due(w.pictures()) {
				w.save()
			}
			return nil
		})
	}
	if err = write(); errors.Is(err, errRange) {
		if err = w.widen(folder); err == nil {
			err = write()
		}
	}
	if err != nil {
		w.save()
		return fmt.Errorf("distillation: teacher outputs: %w", err)
	}
	if err := w.rows.Sync(); err != nil {
		return err
	}
	text, err := json.Marshal(w.index)
	if err != nil {
		return err
	}
	return disk.Write(filepath.Join(folder, indexName), text)
}

// pictures is how many the rows are of so far.
func (w *outputsWriter) pictures() int { return len(w.index.Offsets) - 1 }

// open goes on with the rows of an interrupted attempt, or begins.
func (w *outputsWriter) open(folder string) (err error) {
	path := filepath.Join(folder, rowsName)
	size, err := w.restore(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			w.keeper.Note(fmt.Sprintf("the kept state in %s cannot be used (%v): the outputs are computed from the beginning", w.keeper.Folder, err))
		}
		w.index, w.sum, size = outputsIndex{Offsets: []int{0}}, sha256.New(), 0
	}
	w.rows, err = disk.Append(path, size)
	return err
}

// restore takes over the place of an interrupted attempt and tells how many bytes of rows it had.
func (w *outputsWriter) restore(path string) (size int64, err error) {
	if w.keeper.Folder == "" {
		return 0, fs.ErrNotExist
	}
	var at outputsPlace
	if err := disk.ReadPlace(w.keeper.Folder, &at); err != nil {
		return 0, err
	}
	f, _, err := disk.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w.index, w.sum = at.Index, sha256.New()
	if w.pieces != nil {
		w.pieces.Grown = at.Pieces
	}
	size = int64(w.index.Offsets[w.pictures()]) * w.index.rowBytes()
	if _, err := io.CopyN(w.sum, f, size); err != nil {
		return 0, fmt.Errorf("%s is cut short: %w", path, err)
	}
	if hex.EncodeToString(w.sum.Sum(nil)) != at.SHA256 {
		return 0, fmt.Errorf("%s is not what was written: its checksum is another", path)
	}
	return size, nil
}

// add computes and writes the rows of a batch, which is known by its first picture.
func (w *outputsWriter) add(teacher model.Network, b *model.Batch) error {
	var raw []byte
	err := w.pieces.Do(w.pictures(), func(pieces int) error {
		raw = raw[:0]
		return torch.Run(func(*torch.Scope) error {
			for _, part := range b.Parts(pieces) {
				err := torch.Run(func(*torch.Scope) error {
					rows, err := w.compute(teacher, part)
					raw = append(raw, rows...)
					return err
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	if _, err := w.rows.Write(raw); err != nil {
		return err
	}
	w.sum.Write(raw)
	for _, n := range b.Scored {
		w.index.Offsets = append(w.index.Offsets, w.index.Offsets[len(w.index.Offsets)-1]+n)
	}
	return nil
}

// compute gives the bytes of a batch's rows.
func (w *outputsWriter) compute(teacher model.Network, b *model.Batch) (raw []byte, err error) {
	torch.NoGrad(func() {
		out := teacher.Hidden(b)
		if w.form.TopK > 0 {
			raw, err = w.topK(teacher, out, b)
			return
		}
		out, w.index.Kind = shortest(teacher, out)
		var kept *torch.Tensor
		if kept, err = w.inRange(out, len(b.Scored)); err == nil {
			w.index.Width, w.index.DType = out.Size(-1), kept.DType().String()
			raw = kept.Raw()
		}
	})
	return raw, err
}

// save keeps how far the rows are whole.
func (w *outputsWriter) save() {
	if w.pictures() == 0 {
		return
	}
	w.keeper.Save(fmt.Sprintf("the state after %d pictures", w.pictures()), func() error {
		if err := w.rows.Sync(); err != nil {
			return err
		}
		return disk.WritePlace(w.keeper.Folder, w.place())
	})
}

// place is how far the writer has come.
func (w *outputsWriter) place() outputsPlace {
	at := outputsPlace{Index: w.index, SHA256: hex.EncodeToString(w.sum.Sum(nil))}
	if w.pieces != nil {
		at.Pieces = w.pieces.Grown
	}
	return at
}

// OpenOutputs opens the outputs in a folder of [WriteOutputs]. Where they are hidden states, head gives the teacher's output
// head.
func OpenOutputs(folder string, head func() (func(*torch.Tensor) *torch.Tensor, error)) (*Outputs, error) {
	text, err := os.ReadFile(filepath.Join(folder, indexName))
	if err != nil {
		return nil, fmt.Errorf("distillation: teacher outputs: %w", err)
	}
	o := &Outputs{}
	if err := json.Unmarshal(text, &o.index); err != nil || len(o.index.Offsets) == 0 || o.index.Width < 1 {
		return nil, fmt.Errorf("distillation: %s holds no index of teacher outputs", filepath.Join(folder, indexName))
	}
	at := slices.IndexFunc(outputsDTypes, func(d torch.DType) bool { return d.String() == o.index.DType })
	if at < 0 {
		return nil, fmt.Errorf("distillation: %s: outputs of %q are not known", filepath.Join(folder, indexName), o.index.DType)
	}
	o.dtype = outputsDTypes[at]
	if o.index.Kind == "hidden" {
		if o.head, err = head(); err != nil {
			return nil, err
		}
	}
	var info fs.FileInfo
	if o.rows, info, err = disk.Open(filepath.Join(folder, rowsName)); err != nil {
		return nil, fmt.Errorf("distillation: teacher outputs: %w", err)
	}
	if want := int64(o.index.Offsets[o.Pictures()]) * o.index.rowBytes(); info.Size() != want {
		return nil, errors.Join(fmt.Errorf("distillation: %s has %d bytes, and its index tells of %d", o.rows.Name(), info.Size(), want), o.rows.Close())
	}
	return o, nil
}

// Pictures is how many pictures the file covers.
func (o *Outputs) Pictures() int { return len(o.index.Offsets) - 1 }

// Teacher is what is known of the teacher at the scored positions of a batch of these pictures, in the batch's order. As
// operations do, it panics with a *torch.Error, where the file cannot be read: it is read at each use, so that one that shrinks
// under a run is an error and not a fault of memory.
func (o *Outputs) Teacher(pictures []int, on torch.Device) *Teacher {
	var raw []byte
	for _, p := range pictures {
		from, to := int64(o.index.Offsets[p])*o.index.rowBytes(), int64(o.index.Offsets[p+1])*o.index.rowBytes()
		at := len(raw)
		raw = append(raw, make([]byte, to-from)...)
		if _, err := o.rows.ReadAt(raw[at:], from); err != nil {
			panic(&torch.Error{Op: "teacher outputs", Kind: torch.KindRuntime,
				Message: fmt.Sprintf("%s cannot be read (%v): was it changed while the run used it? start again to compute it anew", o.rows.Name(), err)})
		}
	}
	if o.index.Kind == kindTopK {
		return o.topK(raw, on)
	}
	return &Teacher{rows: torch.FromBytes(raw, o.dtype, on, len(raw)/int(o.index.rowBytes()), o.index.Width), head: o.head, columns: o.kept}
}

// Keep reads only these columns from now on: the logits that a student whose vocabulary was cut has too. A softmax over them is
// the teacher's distribution given that it takes one of these tokens.
func (o *Outputs) Keep(columns []int) { o.kept = columns }

// Close closes the file.
func (o *Outputs) Close() error { return o.rows.Close() }
