package main

import (
	"fmt"
	"io"
	"regexp"

	"espalier/torch/checkpoint"
)

// layerNumber is a part of a name that counts layers.
var layerNumber = regexp.MustCompile(`(^|\.)\d+(\.|$)`)

// inspectFile lists the tensors of a file of which nothing else is known.
func inspectFile(out io.Writer, path, key string, all bool) error {
	s, err := checkpoint.Open(path, key)
	if err != nil {
		return err
	}
	defer s.Close()
	rows := [][]string{{"tensor", "tensors", "dtype", "shape", "MB"}}
	at, count, bytes := map[string]int{}, map[string]int{}, map[string]int64{}
	elements, total := 0, int64(0)
	for _, name := range s.Names() {
		info, _ := s.Info(name)
		n := 1
		for _, d := range info.Shape {
			n *= d
		}
		elements, total = elements+n, total+info.Bytes
		shown := name
		if !all {
			shown = layerNumber.ReplaceAllString(name, "$1*$2")
		}
		k := fmt.Sprint(shown, info.DType, info.Shape)
		count[k]++
		bytes[k] += info.Bytes
		if _, ok := at[k]; !ok {
			at[k] = len(rows)
			rows = append(rows, []string{shown, "", info.DType.String(), fmt.Sprint(info.Shape), ""})
		}
		rows[at[k]][1], rows[at[k]][4] = fmt.Sprint(count[k]), fmt.Sprintf("%.3f", float64(bytes[k])/1e6)
	}
	fmt.Fprintf(out, "%s: %s, %s tensors, %s elements, %.2f MB\n\n", path, s.Format(), grouped(len(s.Names())), grouped(elements), float64(total)/1e6)
	return table(out, rows, 1, 4)
}
