package chain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
)

// compare computes a result that was found once more, where the chain is to be rechecked, and notes what differs. What holds
// times is left out.
func (c *Chain) compare(ctx context.Context, k *call, found Result) error {
	if !c.o.Recheck || k.own {
		return nil
	}
	spare := c.spare()
	if spare.root == "" {
		return errors.New("chain: there is no temporary folder for the recheck")
	}
	k.begin(c.o.Events)
	w := &Work{Environment: c.Environment, Events: c.o.Events, folder: spare.work(k.id), pieces: found.pieces}
	value, err := k.compute(ctx, w)
	if err != nil {
		return fmt.Errorf("recheck of %s: %w", k.at, err)
	}
	defer w.release()
	defer os.RemoveAll(w.folder)
	folder, err := w.Folder()
	if err == nil && w.save != nil {
		err = w.save(folder)
	}
	if err != nil {
		return fmt.Errorf("recheck of %s: %w", k.at, err)
	}
	sums, err := sumsOf(folder)
	if err != nil {
		return fmt.Errorf("recheck of %s: %w", k.at, err)
	}
	c.rechecked++
	if content(value, sums) != found.Content {
		kept, err := sumsOf(found.Folder)
		if err != nil {
			return fmt.Errorf("recheck of %s: %w", k.at, err)
		}
		delete(kept, ManifestName)
		what := differing(kept, sums)
		if len(what) == 0 {
			what = []string{"its value"}
		}
		c.differ = append(c.differ, fmt.Sprintf("%s: %s", k.at, strings.Join(what, ", ")))
	}
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

// Rechecked is an error that names the steps whose results were others when they were computed once more.
func (c *Chain) Rechecked() error {
	if len(c.differ) == 0 {
		if c.rechecked > 0 {
			c.o.Events.Note("recheck: %d results were computed once more, all to the same bytes", c.rechecked)
		}
		return nil
	}
	return fmt.Errorf("recheck: %d results are others when they are computed once more: something that is not among their inputs moves them\n  %s",
		len(c.differ), strings.Join(c.differ, "\n  "))
}
