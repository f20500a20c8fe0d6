package chain

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"espalier/pipeline/event"
)

// recheck is what became of results that were found and computed once more.
type recheck struct {
	count  int
	differ []string // the steps that came to something else, and what of it
}

// compare computes a result once more with w, and notes what differs from the one that was found.
func (r *recheck) compare(ctx context.Context, k *call, w *Work, found Result) error {
	value, err := k.compute(ctx, w)
	if err != nil {
		return err
	}
	defer w.release()
	defer os.RemoveAll(w.folder)
	folder, err := w.Folder()
	if err == nil && w.save != nil {
		err = w.save(folder)
	}
	if err != nil {
		return err
	}
	sums, err := sumsOf(folder)
	if err != nil {
		return err
	}
	r.count++
	if content(value, sums) == found.Content {
		return nil
	}
	kept, err := sumsOf(found.Folder)
	if err != nil {
		return err
	}
	delete(kept, ManifestName)
	what := differing(kept, sums)
	if len(what) == 0 {
		what = []string{"its value"}
	}
	r.differ = append(r.differ, fmt.Sprintf("%s: %s", k.at, strings.Join(what, ", ")))
	return nil
}

// differing are the names whose checksums are not the same in both.
func differing(a, b map[string]string) (names []string) {
	all := maps.Clone(a)
	maps.Copy(all, b)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if a[name] != b[name] {
			names = append(names, name)
		}
	}
	return names
}

// result is an error that names the steps that differ; where none does, it says so.
func (r *recheck) result(events event.Events) error {
	switch {
	case len(r.differ) > 0:
		return fmt.Errorf("recheck: %d results are others when they are computed once more: something that is not among their inputs moves them\n  %s",
			len(r.differ), strings.Join(r.differ, "\n  "))
	case r.count > 0:
		events.Note("recheck: %d results were computed once more, all to the same bytes", r.count)
	}
	return nil
}
