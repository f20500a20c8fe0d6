package chain

import (
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
// fill writes it. What others have put there stays: files that fill did not write, and its file named edited, if it was changed.
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

// Link makes the name within the run's folder a link to a folder that the user gave. A folder that is there and that the run has
// not made stays.
func (c *Chain) Link(name, to string) error {
	path := filepath.Join(c.o.Folder, name)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if _, made := c.record.Written[name]; !made || same(path, to) {
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
