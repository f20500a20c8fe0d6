package model

import (
	"fmt"
	"slices"
	"strings"

	"espalier/torch/checkpoint"
)

// wrappers are the attributes in which PyTorch's wrappers keep what they wrap: torch.compile, DataParallel, FSDP and
// activation checkpointing. They stand before all names or within them, where parts of a network were wrapped.
var wrappers = []string{"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}

// anchorName is a tensor of every network with towers: what stands before it stands before all.
const anchorName = "query_tokens"

// basePrefix stands before all of a decoder alone but its head. Some published OPTs (facebook/opt-350m among them) were saved without it.
const basePrefix = "model."

// anchor is anchorName, or the token embeddings of a decoder alone. Of a network that is not known, nil, towers are expected.
func (c *Config) anchor() string {
	if c == nil || c.Towers() {
		return anchorName
	}
	return c.textName(embeddingNames[c.Text.ModelType])
}

// Unwrap sees a checkpoint under the names that its network had before it was wrapped: without wrappers' parts, and without
// what stands before all names ("model." of a Lightning module); a decoder alone that was saved without its "model." gets it.
// The note says what was taken off or put before; it is empty, and the files are as they were, where nothing is. Several networks
// in one file, none of them under its own names, are an error. c may be nil, for a network with towers.
func Unwrap(files checkpoint.Source, c *Config) (seen checkpoint.Source, note string, err error) {
	at, put := c.anchor(), ""
	prefixes := map[string]string{} // with the whole name that has it
	lacking := ""                   // the name where "model." is left out
	for _, name := range files.Names() {
		switch bare := unwrapped(name); {
		case bare == at || strings.HasSuffix(bare, "."+at):
			prefixes[strings.TrimSuffix(bare, at)] = name
		case bare == strings.TrimPrefix(at, basePrefix):
			lacking = name
		}
	}
	if len(prefixes) == 0 && lacking != "" {
		prefixes[""], at, put = lacking, strings.TrimPrefix(at, basePrefix), basePrefix
	}
	if _, plain := prefixes[""]; plain && len(prefixes) > 1 || len(prefixes) == 0 {
		return files, "", nil // what is more than the network is for Fits to tell
	}
	if len(prefixes) > 1 {
		return nil, "", severalNetworks(prefixes)
	}
	var prefix, anchor string
	for prefix, anchor = range prefixes {
	}
	changed := false
	named, err := checkpoint.Renamed(files, func(name string) string {
		to := strings.TrimPrefix(unwrapped(name), prefix)
		if !strings.HasPrefix(to, "lm_head.") {
			to = put + to
		}
		changed = changed || to != name
		return to
	})
	if err != nil || !changed { // two names would become one: both stay, for Fits to tell
		return files, "", nil
	}
	var notes []string
	if off, ok := strings.CutSuffix(anchor, at); ok && off != "" {
		notes = append(notes, fmt.Sprintf("%.200q is taken off the tensors' names", off))
	} else if within := wrappersIn(files.Names()); len(within) > 0 {
		notes = append(notes, fmt.Sprintf("%s of PyTorch's wrappers is taken out of the tensors' names", strings.Join(within, ", ")))
	}
	if put != "" {
		notes = append(notes, fmt.Sprintf("%q, which they lack, is put before the tensors' names", put))
	}
	return named, strings.Join(notes, "; "), nil
}

func unwrapped(name string) string {
	if !slices.ContainsFunc(wrappers, func(w string) bool { return strings.Contains(name, w) }) {
		return name
	}
	parts := strings.Split(name, ".")
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return slices.Contains(wrappers, part) }), ".")
}

// wrappersIn are the wrappers whose parts the names have.
func wrappersIn(names []string) []string {
	return slices.DeleteFunc(slices.Clone(wrappers), func(w string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return slices.Contains(strings.Split(n, "."), w) })
	})
}

func severalNetworks(prefixes map[string]string) error {
	const shown = 4
	var list []string
	for prefix := range prefixes {
		list = append(list, fmt.Sprintf("%.100q", prefix))
	}
	slices.Sort(list)
	if n := len(list); n > shown {
		list = append(list[:shown], fmt.Sprintf("%d more", n-shown))
	}
	return fmt.Errorf("there are %d networks, whose names begin with %s: choose one with a -names file of model convert", len(prefixes), strings.Join(list, ", "))
}
