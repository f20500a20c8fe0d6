package checkpoint

import "fmt"

// Renamed sees the tensors of a source under other names, each as it is. Two that would get the same name are an error.
// Closing the result closes the source.
func Renamed(s Source, to func(name string) string) (*Named, error) {
	n := &Named{Source: s, views: map[string]seen{}}
	for _, name := range s.Names() {
		info, _ := s.Info(name)
		info.Name = to(name)
		if other, taken := n.views[info.Name]; taken {
			return nil, fmt.Errorf("%.200s and %.200s would both be called %.200s", other.parts[0], name, info.Name)
		}
		n.views[info.Name] = seen{info: info, parts: []string{name}}
	}
	return n, nil
}
