package chain

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"espalier/torch/disk"
)

// copied is a folder that is a result's copy, as it was written.
type copied struct {
	Of    Print             `json:"of"`
	Files map[string]string `json:"files"` // their checksums
}

// Copy makes the folder of a name within the run's a copy of something that is known by its print, unless it is one already.
// fill writes it. What others have put there stays: files that fill did not write, and its file named edited, if it was changed. A folder that the
// record does not know, so that nobody can tell the two apart, is moved aside.
func (c *Chain) Copy(name string, of Print, edited string, fill func(folder string) error) error {
	folder := filepath.Join(c.o.Folder, name)
	if info, err := os.Lstat(folder); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := disk.RemoveAll(folder); err != nil { // of [Chain.Link]: what it leads to is not the run's
			return err
		}
	}
	was, now := c.record.Written[name], copied{Of: of}
	changed := was.changed(folder, edited)
	if was.Of == of && len(changed) == 0 {
		return nil
	}
	if _, err := os.Stat(folder); err == nil && len(changed) > 0 {
		c.o.Events.Note("%s: not as the run wrote it, and written again: %s", folder, strings.Join(changed, ", "))
	}
	err := disk.ReplaceFolder(folder, func(tmp string) (err error) {
		if err := fill(tmp); err != nil {
			return err
		}
		if now.Files, err = sumsOf(tmp); err != nil {
			return err
		}
		if was.Of == "" {
			return c.moveAside(folder, now)
		}
		if err := c.keepEdited(folder, tmp, edited, was, now); err != nil {
			return err
		}
		return disk.Carry(folder, tmp, func(name string) bool { return was.Files[name] == "" && now.Files[name] == "" })
	})
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w; start again to go on from here", folder, err)
	}
	c.record.remember(name, now)
	return nil
}

// changed are the files that are no more as they were written, but for one that people edit.
func (w copied) changed(folder, edited string) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(w.Files)) {
		if sum, _, err := disk.Sum(filepath.Join(folder, name)); err != nil || sum != w.Files[name] && name != edited {
			names = append(names, name)
		}
	}
	return names
}

// keepEdited puts the file that people edit into the new folder as it is in the old one, unless it is there as it was written.
func (c *Chain) keepEdited(folder, tmp, edited string, was, now copied) error {
	path := filepath.Join(folder, edited)
	sum, _, err := disk.Sum(path)
	if edited == "" || err != nil || sum == was.Files[edited] || sum == now.Files[edited] {
		return nil // it may also have been removed
	}
	c.o.Events.Note("%s was edited, and stays as it is; remove it and start again to have that of this result", path)
	return disk.Copy(path, filepath.Join(tmp, edited))
}

// moveAside gives a folder another name, unless there is nothing in it but what the new one has as well: a run that was killed before it could note its
// copy leaves such a folder.
func (c *Chain) moveAside(folder string, now copied) error {
	names, err := filesIn(folder)
	other := func(name string) bool {
		sum, _, err := disk.Sum(filepath.Join(folder, name))
		return err != nil || sum != now.Files[name]
	}
	if err == nil && !slices.ContainsFunc(names, other) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	aside := folder + ".before"
	for n := 2; ; n++ {
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			break
		}
		aside = fmt.Sprintf("%s.before-%d", folder, n)
	}
	if err := disk.Rename(folder, aside); err != nil {
		return err
	}
	c.o.Events.Note("%s was there, and the run's %s does not say of which result: it is now %s, and nothing of it is in the new one", folder, recordName, aside)
	return nil
}

// Link makes the name within the run's folder a link to a folder that the user gave. A folder that is there and that the run has
// not made stays, as the one that the user gave may lie in it.
func (c *Chain) Link(name, to string) error {
	path := filepath.Join(c.o.Folder, name)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if same(path, to) {
			return nil
		}
		if _, made := c.record.Written[name]; !made {
			c.o.Events.Note("%s is a folder that this run has not made, and stays; the run itself reads %s", path, to)
			return nil
		}
		if err := disk.RemoveAll(path); err != nil {
			return err
		}
	}
	c.record.forgetCopy(name)
	return disk.Link(to, path)
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
