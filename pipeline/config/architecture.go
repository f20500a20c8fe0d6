package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/fault"
	"espalier/torch/textfile"
)

// check refuses two descriptions of one network.
func (t *TrainConfig) check(in *table) {
	if t.Config == "" {
		t.checkTowers(in)
		if t.Tokenizer != "" {
			in.fault("tokenizer", "it belongs to a config, and there is none: give config, or leave tokenizer out")
		}
		return
	}
	if !t.Towers {
		in.fault("towers", "config = %q says whether there are any: leave it out", t.Config)
	}
	delete(in.out, "towers")
	usual := DefaultTrain()
	for key, changed := range map[string]bool{"vision": t.Vision != usual.Vision, "qformer": t.QFormer != usual.QFormer, "language": t.Language != usual.Language} {
		if _, given := in.in[key]; given || changed {
			in.fault(key, "the sizes of the network stand in config = %q: leave out this table, or config", t.Config)
		}
		delete(in.out, key)
	}
}

// TokenizerFolder is where the tokenizer files of the network of a config lie; "" where there are none, and it reads the words of
// the data.
func (t *TrainConfig) TokenizerFolder() string {
	if t.Config == "" || t.Tokenizer != "" {
		return t.Tokenizer
	}
	folder := filepath.Dir(t.Config)
	if _, err := os.Stat(filepath.Join(folder, "tokenizer.json")); err != nil {
		return ""
	}
	return folder
}

// fromFile is the network that a config.json describes.
func (t *TrainConfig) fromFile(pictureSize int, words tokenizer.Tokenizer) (*model.Config, error) {
	text, err := textfile.Read(t.Config)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w; name the config.json of a network", err)
	}
	if err != nil {
		return nil, &fault.InputError{Err: err}
	}
	c, err := model.ParseConfig(text)
	if err == nil && c.Towers() && c.Vision.Image != pictureSize {
		err = fmt.Errorf("vision_config.image_size is %d and data.size %d; set data.size = %[1]d", c.Vision.Image, pictureSize)
	}
	if err == nil && t.TokenizerFolder() == "" {
		c, err = withWords(text, c, words)
	}
	if err != nil {
		return nil, fault.Inputf("%s: %w", t.Config, err)
	}
	return c, nil
}

// withWords gives a config the vocabulary of a word list. The ids of special tokens in it are those of a tokenizer that is not
// there; the word list has its own. The picture's place, which transformers looks up in the vocabulary, may be an id that no word
// has; else it is the padding's, which stands in no prompt.
func withWords(text []byte, c *model.Config, words tokenizer.Tokenizer) (*model.Config, error) {
	var file map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&file); err != nil {
		return nil, err
	}
	language, _ := file["text_config"].(map[string]any)
	if !c.Towers() {
		language = file
	}
	size := words.Size()
	if language["vocab_size"] == nil {
		language["vocab_size"] = size
	} else if c.Text.Vocabulary < size {
		return nil, fewWords("text_config", c.Text.Vocabulary, size)
	}
	language["pad_token_id"], language["eos_token_id"] = words.Pad(), words.EOS()
	if c.Text.EncoderDecoder() {
		language["decoder_start_token_id"] = words.Pad()
	} else {
		language["bos_token_id"] = words.EOS()
	}
	if id := c.ImageToken; c.Towers() && (id == nil || *id < size || *id >= c.Text.Vocabulary) {
		file["image_token_index"] = words.Pad()
	}
	if c.Instruct() {
		qformer, _ := file["qformer_config"].(map[string]any)
		if qformer == nil {
			qformer = map[string]any{}
			file["qformer_config"] = qformer
		}
		if qformer["vocab_size"] == nil {
			qformer["vocab_size"] = size
		} else if c.QFormer.Vocabulary < size {
			return nil, fewWords("qformer_config", c.QFormer.Vocabulary, size)
		}
	}
	whole, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}
	return model.ParseConfig(whole)
}

func fewWords(table string, has, needs int) error {
	return fmt.Errorf("%s.vocab_size is %d, the data have %d words, special ones included; raise it, leave it out to have it set, or give tokenizer files", table, has, needs)
}
