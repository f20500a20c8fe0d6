package teacher

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/card"
	"espalier/pipeline/chain"
	"espalier/pipeline/config"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/pipeline/fault"
)

// keptReading are the tokenizers and the preprocessing of a checkpoint, held against the data.
func keptReading(o Options, folder string, c *model.Config) (r corpus.Reading, err error) {
	r.On, r.Form = o.Device, c.Form()
	if err := checkPictures(o, c, "the checkpoint "+folder); err != nil {
		return r, err
	}
	if r.Words, err = ownWords(o, folder, c); err != nil {
		return r, err
	}
	if r.Words.Template != o.Config.Data.Prompt {
		o.Events.Note("questions are framed as %q, the checkpoint's espalier.prompt; data.prompt would say otherwise", r.Words.Template)
	}
	if r.Pre, err = ownPictures(folder, c); err != nil {
		return r, &fault.InputError{Err: err}
	}
	if c.Towers() && c.Vision.Image != o.Set.Size {
		return r, fault.Inputf("data.size is %d, the checkpoint %s sees pictures of %d; set data.size = %d", o.Set.Size, folder, c.Vision.Image, c.Vision.Image)
	}
	r.Files, err = print(folder, o.Sum, nil)
	return r, err
}

// newReading are the tokenizers and the preprocessing of a network to train: those whose files lie beside its config, else the
// words of the data and the pictures as the networks of this program see them.
func newReading(o Options, c *model.Config) (r corpus.Reading, err error) {
	if err := checkPictures(o, c, "the network of [teacher.train]"); err != nil {
		return r, err
	}
	words, t := o.Set.Tokenizer, o.Config.Teacher.Train
	r = corpus.Reading{Words: prompt.New(words, c), Form: c.Form(), On: o.Device, Files: chain.Of(words.Words())}
	if c.Towers() {
		r.Pre = model.AdsPreprocessor(o.Set.Size)
	}
	folder := t.TokenizerFolder()
	if folder != "" {
		if r.Words, err = ownWords(o, folder, c); err != nil {
			return r, err
		}
		if r.Files, err = print(folder, o.Sum, tokenizerFiles); err != nil {
			return r, err
		}
	}
	for _, folder := range picturesFolders(t, c) {
		own, err := ownPictures(folder, c)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return r, &fault.InputError{Err: err}
		}
		files, err := print(folder, o.Sum, preprocessorFiles)
		if err != nil {
			return r, err
		}
		r.Pre, r.Files = own, chain.Of([]chain.Print{r.Files, files})
		break
	}
	return r, nil
}

// picturesFolders are where the preprocessing of a network to train may lie.
func picturesFolders(t *config.TrainConfig, c *model.Config) (folders []string) {
	for _, folder := range []string{t.Tokenizer, filepath.Dir(t.Config)} {
		if c.Towers() && t.Config != "" && folder != "" {
			folders = append(folders, folder)
		}
	}
	return folders
}

// ownWords are the tokenizers of a folder, held against network and data.
func ownWords(o Options, folder string, c *model.Config) (prompt.Words, error) {
	words, err := prompt.Load(folder, c, o.Config.Data.Prompt)
	if err != nil {
		return words, &fault.InputError{Err: err}
	}
	// Published checkpoints round their vocabulary up.
	if n := words.Answers.Size(); n > c.Text.Vocabulary {
		return words, fault.Inputf("%s: tokenizer.json has %d words, the language model %d; they do not belong together", folder, n, c.Text.Vocabulary)
	}
	if err := data.CheckVocabulary(words.Answers, o.Set); err != nil {
		return words, &fault.InputError{Err: err}
	}
	return words, nil
}

// ownPictures is the preprocessing of a folder.
func ownPictures(folder string, c *model.Config) (model.Preprocessor, error) {
	pre, err := model.LoadPreprocessorFor(folder, c)
	if err == nil && pre.Crops() {
		err = fault.Inputf("%s: the preprocessor cuts out the middle of pictures (do_center_crop), which a run does not do: crop the pictures of the data "+
			"to squares, and set do_center_crop to false and size to the network's height and width", folder)
	}
	return pre, err
}

// The files that a tokenizer and a preprocessing consist of, where other things may lie beside them.
var (
	tokenizerFiles    = []string{"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"}
	preprocessorFiles = []string{"preprocessor_config.json", "processor_config.json"}
)

// print is that of the files that a checkpoint consists of: those in its folder and those of the Q-Former's tokenizer. What
// stands beside them, such as git's own folder, a run or the card, which people edit, is no part of it. names are the files that count; nil takes all.
func print(folder string, sum func(path string) (string, error), names []string) (chain.Print, error) {
	files := map[string]string{}
	for _, within := range []string{"", prompt.InstructionFolder} {
		entries, err := os.ReadDir(filepath.Join(folder, within))
		if err != nil && (within == "" || !errors.Is(err, fs.ErrNotExist)) {
			return "", &fault.InputError{Err: err}
		}
		for _, e := range entries {
			path := filepath.Join(folder, within, e.Name())
			if info, err := os.Stat(path); strings.HasPrefix(e.Name(), ".") || e.Name() == card.Name || err == nil && info.IsDir() || names != nil && !slices.Contains(names, e.Name()) {
				continue
			}
			if files[within+"/"+e.Name()], err = sum(path); err != nil {
				return "", &fault.InputError{Err: err}
			}
		}
	}
	return chain.Of(files), nil
}
