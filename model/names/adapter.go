package names

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"espalier/torch/textfile"
)

// adapterName is the file that says that a folder holds a PEFT adapter.
const adapterName = "adapter_config.json"

// Adapter is an error where a folder holds a PEFT adapter: changes to the weights of another checkpoint, which it names.
// transformers applies an adapter also when whole weights lie beside it, so those alone would be another model.
func Adapter(folder string) error {
	path := filepath.Join(folder, adapterName)
	data, err := textfile.Read(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		return err
	}
	var adapter struct {
		Base string `json:"base_model_name_or_path"`
		Kind string `json:"peft_type"`
	}
	if err := json.Unmarshal(data, &adapter); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	base, load := "another checkpoint", "its checkpoint"
	if adapter.Base != "" {
		base = fmt.Sprintf("%.200q", adapter.Base)
		load = base
	}
	kind := "an adapter"
	if adapter.Kind != "" {
		kind = fmt.Sprintf("an adapter (%.40s)", adapter.Kind)
	}
	return fmt.Errorf("%s: the folder holds %s for %s, not a whole model: load %s in Python, merge the adapter into it "+
		"(PeftModel.from_pretrained(model, folder).merge_and_unload()) and save it; where that is done, remove %s", path, kind, base, load, adapterName)
}
