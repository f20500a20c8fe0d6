package config

import (
	"fmt"
	"maps"

	"espalier/model"
	"espalier/pipeline/fault"
	"espalier/torch/nn"
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

// Final declares the network that the stages will leave; it has no values.
func (l Stages) Final(n model.Network) (model.Network, error) {
	for i := range l {
		next, err := l[i].Declare(n, l[i].Cuts)
		if err != nil {
			return nil, err
		}
		n = next
	}
	return n, nil
}

// Left is how many units of each axis that the stages cut stay in the end, of axes inside heads in each head.
func (l Stages) Left(n model.Network) map[*nn.Axis]int {
	left := map[*nn.Axis]int{}
	for i := range l {
		for _, a := range AxesOf(l[i].Kinds(), n) {
			have, cut := left[a]
			if !cut {
				have = a.Each()
			}
			left[a] = min(have, l[i].Target(a, have))
		}
	}
	return left
}

// keepFault is what is wrong with a key of a stage's keep.
type keepFault struct {
	stage     int
	key, text string // the key below the stage's
}

// keepFaults are what the stages cannot keep of a network, and the stages that do nothing. Each stage starts from what the
// ones before left, so their targets count.
func (l Stages) keepFaults(n model.Network) (faults []keepFault) {
	left := n.Store().Sizes() // units after the stages so far
	for i := range l {
		s := &l[i]
		if !n.Config().Towers() {
			faults = append(faults, decoderFaults(s, i)...)
		}
		before, idle := maps.Clone(left), s.Distil.Steps == 0 && s.Keep != (Towers{}) && !s.Keep.Vocabulary.Used // with a target, what stays is chosen
		for _, a := range AxesOf(s.Kinds(), n) {
			have := before[a.Name]
			left[a.Name] = s.Target(a, have)
			idle = idle && left[a.Name] == have
			key := "keep." + a.Tower
			switch {
			case a.Kind == nn.KeySize || a.Kind == nn.ValueSize:
				key += ".head_size"
			case a.Kind == nn.Heads || a.Kind == nn.FFN:
				key += "." + string(a.Kind)
			case a.Kind == nn.Queries || a.Kind == nn.Vocabulary:
				key = "keep." + string(a.Kind)
			}
			if size := s.Keep.Of(a.Tower).HeadSize.Units; a.Kind == nn.KeySize && size%a.Block() > 0 {
				faults = append(faults, keepFault{i, key, fmt.Sprintf("%d is odd: the rotary positions of %s turn dimensions in pairs; give an even number", size, a.Name)})
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
