package chain

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"espalier/torch/disk"
)

// Copy makes the folder of a name within the run's a copy of something that is known by its print, unless it is one already.
// fill writes it.
func (c *Chain) Copy(name string, of Print, fill func(folder string) error) error {
	folder := filepath.Join(c.o.Folder, name)
	if info, err := os.Lstat(folder); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		if err := disk.RemoveAll(folder); err != nil { // of [Chain.Link]: what it leads to is not the run's
			return err
		}
	}
	state := func() (Print, error) {
		sums, err := sumsOf(folder)
		return Of(map[string]any{"of": of, "files": sums}), err
	}
	if is, err := state(); err == nil && is == c.record.Copies[name] {
		return nil
	}
	if err := disk.ReplaceFolder(folder, fill); err != nil {
		return fmt.Errorf("%s cannot be written: %w; start again to go on from here", folder, err)
	}
	is, err := state()
	if err != nil {
		return err
	}
	c.record.remember(name, is)
	return nil
}

// Link makes the name within the run's folder a link to a folder that the user gave. A folder that is there and that the run has
// not made stays.
func (c *Chain) Link(name, to string) error {
	path := filepath.Join(c.o.Folder, name)
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if c.record.Copies[name] == "" || same(path, to) {
			return nil
		}
		if err := disk.RemoveAll(path); err != nil {
			return err
		}
	}
	c.record.remember(name, "")
	return disk.Link(to, path)
}

func same(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}
