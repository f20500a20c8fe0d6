package energy

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// zone is a domain of RAPL, as the powercap interface of Linux shows it (Documentation/power/powercap in its sources): a folder with
// a name and a counter of microjoules that begins anew at zero beyond a limit.
type zone struct {
	name   string
	folder string
	last   uint64
	limit  uint64 // the greatest value of the counter; 0: not known
	total  float64
}

func (z *zone) Name() string { return z.name }

// Joules are those since the zone was opened. It must be asked more often than the counter runs through its range, which takes minutes.
func (z *zone) Joules() (float64, error) {
	now, err := readNumber(filepath.Join(z.folder, "energy_uj"))
	if err != nil {
		return 0, fmt.Errorf("energy: %s: %w", z.name, err)
	}
	step := now - z.last
	if now < z.last {
		if z.limit < z.last {
			return 0, fmt.Errorf("energy: %s: its counter fell from %d to %d, and max_energy_range_uj does not say where it begins anew", z.name, z.last, now)
		}
		step = z.limit - z.last + now
	}
	z.last = now
	z.total += float64(step) / 1e6
	return z.total, nil
}

// openPowercap opens the domains that add up to what the processors and their memory use: every package, and the memory beside it. Cores
// and uncore are parts of a package, psys holds the packages, and the domains of intel-rapl-mmio are the same packages once more. A
// package that cannot be read is an error, since the sum of the others would be too small; memory that cannot be read is a note.
func openPowercap(root string) (sources []Source, notes []string, err error) {
	entries, err := os.ReadDir(root)
	if err != nil {
		return nil, nil, err
	}
	folders := make([]string, 0, len(entries))
	for _, e := range entries { // all zones stand side by side here, those within others too
		if strings.Contains(e.Name(), ":") {
			folders = append(folders, e.Name())
		}
	}
	// A control type's own zones before those of its -mmio twin, and outer zones before inner ones.
	slices.SortFunc(folders, func(a, b string) int {
		if twin := strings.Contains(a, "-mmio"); twin != strings.Contains(b, "-mmio") {
			if twin {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
	names, seen := map[string]string{}, map[string]bool{}
	memory := false
	for _, folder := range folders {
		text, err := os.ReadFile(filepath.Join(root, folder, "name"))
		if err != nil {
			continue // it is no zone
		}
		name := strings.TrimSpace(string(text))
		names[folder] = name
		isPackage, isMemory := strings.HasPrefix(name, "package"), name == "dram"
		if isMemory {
			name = strings.TrimSpace("dram " + names[folder[:strings.LastIndex(folder, ":")]])
		}
		if !isPackage && !isMemory || seen[name] {
			continue
		}
		seen[name] = true
		z, err := openZone(name, filepath.Join(root, folder))
		if err != nil && isPackage {
			return nil, notes, err
		}
		if err != nil {
			notes = append(notes, fmt.Sprintf("energy: memory is not in the joules: %v", err))
			memory = true
			continue
		}
		memory = memory || isMemory
		sources = append(sources, z)
	}
	if !slices.ContainsFunc(sources, func(s Source) bool { return strings.HasPrefix(s.Name(), "package") }) {
		return nil, notes, fmt.Errorf("%s has no zone of a package", root)
	}
	if !memory {
		notes = append(notes, "energy: memory has no counter on this machine: the joules are the processors' alone")
	}
	return sources, notes, nil
}

func openZone(name, folder string) (*zone, error) {
	z := &zone{name: name, folder: folder}
	var err error
	if z.last, err = readNumber(filepath.Join(folder, "energy_uj")); err != nil {
		return nil, fmt.Errorf("%s: %w", name, withRemedy(err, filepath.Join(folder, "energy_uj")))
	}
	z.limit, _ = readNumber(filepath.Join(folder, "max_energy_range_uj")) // needed only when the counter begins anew
	return z, nil
}

// withRemedy says what to do about a counter that only root may read, as Linux has it since 2020.
func withRemedy(err error, path string) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%w: run as root, or give the right to read it: chmod a+r %s", err, path)
	}
	return err
}

func readNumber(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return n, nil
}
