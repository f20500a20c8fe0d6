package model

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"espalier/model/names"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/textfile"
)

// Load reads a checkpoint folder in Hugging Face's form onto a device: config.json and model.safetensors, or its shards.
// Names and shapes are checked before anything is read, then one tensor is read at a time, in the dtype of the file.
// Values that are no numbers are refused, naming the tensor.
func Load(folder string, on torch.Device) (*Blip2, error) {
	m, files, err := Open(folder)
	if err != nil {
		return nil, err
	}
	defer files.Close()
	for _, p := range m.store.Params() {
		v, err := files.Load(p.Name, on)
		if err == nil {
			p.Set(v)
			err = checkFinite(p.Name, v)
		}
		if err != nil {
			m.store.Free()
			return nil, fmt.Errorf("model: %s: %w", folder, err)
		}
	}
	torch.TrimMemory() // what reading needed between the tensors
	return m, nil
}

// Open declares the network of a checkpoint folder and checks that the files hold exactly its tensors; nothing is read. The
// files are seen as [Unwrap] shows them. What LoRA or a quantizer left in them is refused in words.
func Open(folder string) (*Blip2, checkpoint.Source, error) {
	c, err := LoadConfig(folder)
	if err != nil {
		return nil, nil, err
	}
	files, err := checkpoint.OpenFolder(folder)
	if err != nil {
		return nil, nil, fmt.Errorf("model: %w", err)
	}
	m, seen, err := opened(c, files)
	if err != nil {
		files.Close()
		return nil, nil, fmt.Errorf("model: %s: %w", folder, err)
	}
	for i, note := range m.notes {
		m.notes[i] = folder + ": " + note
	}
	return m, seen, nil
}

// opened is fitted for a checkpoint whose config may say that its weights are int8.
func opened(c *Config, files checkpoint.Source) (*Blip2, checkpoint.Source, error) {
	if !c.Int8 {
		return fitted(c, files)
	}
	plain, err := checkpoint.NewPlain(files)
	if err != nil {
		return nil, nil, err
	}
	m, seen, err := fitted(c, plain)
	if err == nil {
		for _, p := range m.store.Params() {
			p.Int8 = plain.Held(p.Name)
		}
	}
	return m, seen, err
}

// fitted declares the network that files hold, and shows them under its names.
func fitted(c *Config, files checkpoint.Source) (*Blip2, checkpoint.Source, error) {
	if err := names.Foreign(files); err != nil {
		return nil, nil, err
	}
	seen, note, err := Unwrap(files, c)
	if err != nil {
		return nil, nil, err
	}
	m, err := Declare(c, seen)
	if err != nil {
		return nil, nil, err
	}
	err = m.Fits(seen)
	if said := c.generationNote(); said != "" {
		m.notes = append(m.notes, said)
	}
	if note != "" {
		m.notes = append(m.notes, note)
		if err != nil {
			err = fmt.Errorf("%w\n(%s)", err, note)
		}
	}
	return m, seen, err
}

// LoadConfig reads a checkpoint folder's config.json.
func LoadConfig(folder string) (*Config, error) {
	if err := names.Adapter(folder); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	path := filepath.Join(folder, "config.json")
	data, err := textfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a file of weights is no folder
		err = fmt.Errorf("%w; a checkpoint is a folder with config.json and %s", err, checkpoint.SingleFile)
	}
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	c, err := ParseConfig(data)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	path = filepath.Join(folder, generationName)
	if c.generation, err = textfile.Read(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("model: %w", err)
	}
	if _, err := c.generationEnds(); err != nil {
		return nil, fmt.Errorf("model: %s: %w", path, err)
	}
	return c, nil
}

// generationName is a file that transformers writes beside a config.
const generationName = "generation_config.json"

// headName is the output head, where it is not the token embeddings.
const headName = "language_model.lm_head.weight"

// embeddingNames are the token embeddings of each kind of language model.
var embeddingNames = map[string]string{
	"opt": "language_model.model.decoder.embed_tokens.weight", "t5": "language_model.shared.weight",
	"llama": "language_model.model.embed_tokens.weight",
}

// headTied tells whether the token embeddings are the output head as well. The file knows best: transformers has changed
// its mind on T5's config key, and files hold copies of a tied head or leave it out.
func headTied(c *Config, files checkpoint.Source) *bool {
	head := files.Bytes(c.textName(headName))
	tied := head == nil && (c.Text.tied() || c.Text.ModelType == "t5")
	if head != nil && c.Text.tied() {
		tied = bytes.Equal(head, files.Bytes(c.textName(embeddingNames[c.Text.ModelType])))
	}
	return &tied
}

// checkLayers refuses counts of layers that a file of so many tensors cannot hold, before memory goes into declaring them.
// Every layer has several tensors; those that a structure of ours states are bounded by its own lists.
func (c *Config) checkLayers(tensors int) error {
	if c.Structure != nil {
		return nil
	}
	for _, t := range []struct {
		key    string
		layers int
	}{
		{"vision_config.num_hidden_layers", c.Vision.Layers}, {"qformer_config.num_hidden_layers", c.QFormer.Layers},
		{"text_config's number of layers", c.Text.Layers}, {"text_config.num_decoder_layers", c.Text.DecoderLayers},
	} {
		if t.layers > tensors {
			return fmt.Errorf("config.json: %s is %d, but the weights are only %d tensors; correct it", t.key, t.layers, tensors)
		}
	}
	return nil
}

// Declare is New for a checkpoint whose files may say more of a tied output head than its config.
func Declare(c *Config, files checkpoint.Source) (*Blip2, error) {
	if err := c.checkLayers(len(files.Names())); err != nil {
		return nil, err
	}
	c.Text.Tied = headTied(c, files)
	return New(c)
}

// Unused lists the tensors of a checkpoint that the network does not declare and that say something new.
func (m *Blip2) Unused(files checkpoint.Source) (names []string) {
	for _, name := range files.Names() {
		if m.store.Param(name) == nil && !m.redundant(name, files) {
			names = append(names, name)
		}
	}
	return names
}

// Fits tells all tensors that are missing, unexpected or misshapen at once.
func (m *Blip2) Fits(files checkpoint.Source) error {
	shapes := map[string][]int{}
	for _, name := range files.Names() {
		known := m.store.Param(name) != nil
		if !known && m.redundant(name, files) {
			continue
		}
		info, _ := files.Info(name)
		shapes[name] = info.Shape
		if known && !info.DType.IsFloat() {
			return fmt.Errorf("tensor %s holds %v; weights must be floats (dequantize quantized ones first)", name, info.DType)
		}
	}
	return m.store.Fits(shapes)
}

// redundant tells whether a tensor that the network does not declare says nothing new: a copy of the token embeddings
// under another name, or a table that is computed here.
func (m *Blip2) redundant(name string, files checkpoint.Source) bool {
	if strings.HasSuffix(name, ".position_ids") || strings.HasSuffix(name, ".rotary_emb.inv_freq") {
		return true
	}
	copies := []string{m.config.textName(headName), "language_model.encoder.embed_tokens.weight", "language_model.decoder.embed_tokens.weight"}
	return slices.Contains(copies, name) && bytes.Equal(files.Bytes(name), files.Bytes(m.config.textName(embeddingNames[m.config.Text.ModelType])))
}

// CheckFinite finds values that are no numbers, and names the first tensor that has one.
func CheckFinite(n Network) error {
	for _, p := range n.Store().Params() {
		if err := checkFinite(p.Name, p.Value); err != nil {
			return err
		}
	}
	return nil
}

func checkFinite(name string, v *torch.Tensor) error {
	var finite bool
	err := torch.Run(func(*torch.Scope) error {
		finite = v.AllFinite()
		return nil
	})
	if err == nil && !finite {
		err = fmt.Errorf("tensor %s holds NaN or infinite values; the checkpoint is damaged or its training diverged", name)
	}
	return err
}
