package config

import (
	"fmt"
	"maps"

	"espalier/model"
	"espalier/pipeline/fault"
)

// Stages are those of a run, in their order. Each starts from what the one before leaves.
type Stages []StageConfig

// Names gives each stage a name of its own, for its folder: hidden-1 and hidden-2 when two stages are "hidden".
func (l Stages) Names() []string {
	total, seen := map[string]int{}, map[string]int{}
	for _, s := range l {
		total[s.Name]++
	}
	names := make([]string, len(l))
	for i, s := range l {
		names[i] = s.Name
		if total[s.Name] > 1 {
			seen[s.Name]++
			names[i] = fmt.Sprintf("%s-%d", s.Name, seen[s.Name])
		}
	}
	return names
}

// Key is a stage as -set names it: by its name where that is its alone.
func (l Stages) Key(i int) string {
	if l.Names()[i] == l[i].Name {
		return "stage." + l[i].Name
	}
	return fmt.Sprintf("stage.%d", i)
}

// final declares the network that the stages will leave; it has no values.
func (l Stages) final(n model.Network) (model.Network, error) {
	for i := range l {
		next, err := l[i].Declare(n, l[i].Cuts)
		if err != nil {
			return nil, err
		}
		n = next
	}
	return n, nil
}

// keepFault is what is wrong with a key of a stage's keep.
type keepFault struct {
	stage     int
	key, text string // the key below the stage's
}

// keepFaults are what the stages cannot keep of a network, and the stages that do nothing. Each stage starts from what the
// ones before left, so their targets count.
func (l Stages) keepFaults(n model.Network) (faults []keepFault) {
	left := n.Store().Structure().Axes // units after the stages so far
	for i := range l {
		s := &l[i]
		before, idle := maps.Clone(left), s.Distil.Steps == 0
		for _, a := range AxesOf(s.Name, n) {
			have := before[a.Name]
			left[a.Name] = s.Target(a, have)
			idle = idle && left[a.Name] == have
			key := "keep." + a.Tower
			if s.Name == "inner" {
				key += "." + string(a.Kind)
			}
			if left[a.Name] > have {
				faults = append(faults, keepFault{i, key, fmt.Sprintf("%d is more than the %d that %s then has; lower it", left[a.Name], have, a.Name)})
			}
		}
		if idle {
			faults = append(faults, keepFault{i, "keep", idleStage})
		}
	}
	return faults
}

// CheckKeep tells the faults of keep for a network that was loaded.
func (l Stages) CheckKeep(n model.Network) error {
	var faults []string
	seen := map[string]bool{} // the layers of a tower are alike
	for _, f := range l.keepFaults(n) {
		key := l.Key(f.stage) + "." + f.key
		if !seen[key] {
			faults = append(faults, key+": "+f.text)
		}
		seen[key] = true
	}
	return fault.List(faults)
}
