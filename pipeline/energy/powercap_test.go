package energy

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"espalier/torch"
)

// tree is a made-up powercap folder.
type tree struct {
	t    *testing.T
	root string
}

func newTree(t *testing.T, zones map[string]string) tree {
	tr := tree{t, t.TempDir()}
	for folder, name := range zones {
		require.NoError(t, os.Mkdir(filepath.Join(tr.root, folder), 0o755))
		tr.write(folder, "name", name)
		tr.write(folder, "max_energy_range_uj", "1000000000")
		tr.set(folder, 0)
	}
	return tr
}

func (tr tree) write(folder, file, text string) {
	tr.t.Helper()
	require.NoError(tr.t, os.WriteFile(filepath.Join(tr.root, folder, file), []byte(text+"\n"), 0o644))
}

func (tr tree) set(folder string, micros int) { tr.write(folder, "energy_uj", strconv.Itoa(micros)) }

// server has two packages with memory, and all that must not be added to them.
var server2 = map[string]string{
	"intel-rapl:0": "package-0", "intel-rapl:0:0": "core", "intel-rapl:0:1": "dram", "intel-rapl:1": "package-1", "intel-rapl:1:0": "dram",
	"intel-rapl:2": "psys", "intel-rapl-mmio:0": "package-0", "intel-rapl-mmio:0:0": "dram",
}

func sum(t *testing.T, sources []Source) (joules float64) {
	t.Helper()
	for _, s := range sources {
		j, err := s.Joules()
		require.NoError(t, err)
		joules += j
	}
	return joules
}

func names(sources []Source) (all []string) {
	for _, s := range sources {
		all = append(all, s.Name())
	}
	return all
}

// Packages and their memory are added up once; cores, the platform, and the second view of the same packages are not.
func TestPackagesAndMemoryAreAddedOnce(t *testing.T) {
	tr := newTree(t, server2)
	require.NoError(t, os.MkdirAll(filepath.Join(tr.root, "intel-rapl:0", "intel-rapl:0:1"), 0o755)) // as sysfs shows it again
	require.NoError(t, os.Mkdir(filepath.Join(tr.root, "intel-rapl"), 0o755))
	sources, notes, err := openPowercap(tr.root)
	require.NoError(t, err)
	assert.Equal(t, []string{"package-0", "dram package-0", "package-1", "dram package-1"}, names(sources))
	assert.Empty(t, notes)
	for i, folder := range []string{"intel-rapl:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl:1:0", "intel-rapl:0:0", "intel-rapl:2", "intel-rapl-mmio:0", "intel-rapl-mmio:0:0"} {
		tr.set(folder, []int{1e6, 2e6, 4e6, 8e6, 16e6, 32e6, 64e6, 128e6}[i])
	}
	assert.InDelta(t, 15, sum(t, sources), 1e-9)
}

// A counter that begins anew goes on where it was; one that falls without saying where it begins anew is an error.
func TestCountersBeginAnew(t *testing.T) {
	tr := newTree(t, map[string]string{"intel-rapl:0": "package-0"})
	tr.set("intel-rapl:0", 999_000_000)
	sources, _, err := openPowercap(tr.root)
	require.NoError(t, err)
	tr.set("intel-rapl:0", 2_000_000)
	assert.InDelta(t, 3, sum(t, sources), 1e-9)
	tr.set("intel-rapl:0", 999_500_000)
	assert.InDelta(t, 1000.5, sum(t, sources), 1e-9)
	tr.set("intel-rapl:0", 0)
	assert.InDelta(t, 1001, sum(t, sources), 1e-9)

	require.NoError(t, os.Remove(filepath.Join(tr.root, "intel-rapl:0", "max_energy_range_uj")))
	tr.set("intel-rapl:0", 5_000_000)
	sources, _, err = openPowercap(tr.root)
	require.NoError(t, err)
	tr.set("intel-rapl:0", 4_000_000)
	_, err = sources[0].Joules()
	assert.ErrorContains(t, err, "package-0: its counter fell from 5000000 to 4000000")
}

// Without all packages the sum would be too small: nothing is measured. Without memory it is the processors' alone, and a note says so.
func TestWhatCannotBeRead(t *testing.T) {
	hide := func(tr tree, folder string) { // a folder in the file's place fails for root, too, whom permissions do not stop
		path := filepath.Join(tr.root, folder, "energy_uj")
		require.NoError(t, os.Remove(path))
		require.NoError(t, os.Mkdir(path, 0o755))
	}
	tr := newTree(t, server2)
	hide(tr, "intel-rapl:1")
	_, _, err := openPowercap(tr.root)
	assert.ErrorContains(t, err, "package-1")

	tr = newTree(t, server2)
	hide(tr, "intel-rapl:1:0")
	sources, notes, err := openPowercap(tr.root)
	require.NoError(t, err)
	assert.Equal(t, []string{"package-0", "dram package-0", "package-1"}, names(sources))
	require.Len(t, notes, 1)
	assert.Contains(t, notes[0], "memory is not in the joules: dram package-1")

	_, notes, err = openPowercap(newTree(t, map[string]string{"intel-rapl:0": "package-0", "intel-rapl:0:0": "core"}).root) // as AMD's
	require.NoError(t, err)
	assert.Equal(t, []string{"energy: memory has no counter on this machine: the joules are the processors' alone"}, notes)
	_, _, err = openPowercap(newTree(t, map[string]string{"intel-rapl:0": "psys"}).root)
	assert.ErrorContains(t, err, "no zone of a package")
	_, _, err = openPowercap(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// Only root may read the counters of most machines: the remedy is named. Root, whom no permission stops, sees the same text.
func TestPermissionIsNamed(t *testing.T) {
	err := withRemedy(&fs.PathError{Op: "open", Path: "energy_uj", Err: syscall.EACCES}, "energy_uj")
	assert.EqualError(t, err, "open energy_uj: permission denied: run as root, or give the right to read it: chmod a+r energy_uj")
	tr := newTree(t, map[string]string{"intel-rapl:0": "package-0"})
	require.NoError(t, os.Chmod(filepath.Join(tr.root, "intel-rapl:0", "energy_uj"), 0))
	if os.Geteuid() != 0 {
		m := Open(tr.root, torch.CPU)
		require.Len(t, m.Notes, 1)
		assert.Contains(t, m.Notes[0], "chmod a+r")
		assert.Contains(t, m.Notes[0], "ESTIMATED")
	}
}
