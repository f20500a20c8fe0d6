package main

import (
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"sort"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"

	"espalier/model"
	"espalier/model/names"
	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/nn"
)

func inspect(flags *flag.FlagSet) func([]string, io.Writer) error {
	key := flags.String("key", "", "which `dict` of a nested file holds the tensors, as model or state/model")
	all := flags.Bool("all", false, "list every tensor of a file, not one line for those of all layers")
	return func(args []string, out io.Writer) error {
		if len(args) != 1 {
			return usagef("model inspect: name one checkpoint folder or file")
		}
		if err := names.Adapter(args[0]); err != nil {
			return err
		}
		if !exists(filepath.Join(args[0], "config.json")) {
			return inspectFile(out, args[0], *key, *all)
		}
		m, files, err := model.Open(args[0])
		if err != nil {
			return err
		}
		defer files.Close()
		tell(flags, m)
		c := m.Config()
		fmt.Fprintf(out, "%s: %s, %s parameters, %s\n\n", args[0], c.Family(), grouped(m.Store().Count()), sightOf(c))
		if err := table(out, partRows(m, files), 1, 2, 3); err != nil {
			return err
		}
		fmt.Fprintln(out)
		if err := table(out, axisRows(m.Store()), 2, 3, 4); err != nil {
			return err
		}
		if _, err := m.HubConfig(); err != nil {
			fmt.Fprintf(out, "\ntransformers cannot express these sizes:\n  %s\n", strings.ReplaceAll(err.Error(), "\n", "\n  "))
		} else {
			fmt.Fprintln(out, "\ntransformers can express these sizes.")
		}
		return nil
	}
}

func sightOf(c *model.Config) string {
	if !c.Towers() {
		return "no pictures"
	}
	return fmt.Sprintf("pictures of %d × %[1]d", c.Vision.Image)
}

// partRows are parameters, bytes and dtypes of each part of the network.
func partRows(m *model.Blip2, files checkpoint.Source) [][]string {
	type sum struct {
		parameters int
		bytes      int64
		dtypes     map[string]bool
	}
	parts, total := map[string]*sum{}, &sum{dtypes: map[string]bool{}}
	for _, p := range m.Store().Params() {
		info, _ := files.Info(p.Name)
		if parts[p.Part] == nil {
			parts[p.Part] = &sum{dtypes: map[string]bool{}}
		}
		for _, s := range []*sum{parts[p.Part], total} {
			s.parameters += p.Count()
			if p.Int8 {
				s.bytes += int64(p.Bytes())
				s.dtypes[torch.Int8.String()] = true
				continue
			}
			s.bytes += info.Bytes
			s.dtypes[info.DType.String()] = true
		}
	}
	rows := [][]string{{"part", "parameters", "share", "MB", "dtype"}}
	add := func(name string, s *sum) {
		var dtypes []string
		for d := range s.dtypes {
			dtypes = append(dtypes, d)
		}
		sort.Strings(dtypes)
		rows = append(rows, []string{name, grouped(s.parameters), fmt.Sprintf("%.1f %%", 100*float64(s.parameters)/float64(total.parameters)),
			fmt.Sprintf("%.2f", float64(s.bytes)/1e6), strings.Join(dtypes, ", ")})
	}
	for _, name := range []string{"vision", "qformer", "projection", "language_blocks", "embeddings"} {
		if parts[name] != nil {
			add(strings.ReplaceAll(name, "_", " "), parts[name])
		}
	}
	add("all", total)
	return rows
}

// axisRows lists the axes; those of the same size in the layers of a tower are one row.
func axisRows(s *nn.Store) [][]string {
	rows := [][]string{{"tower", "axis", "axes", "units", "of size", "what is cut with a unit"}}
	at := map[string]int{}
	count := map[string]int{}
	for _, a := range s.Axes() {
		name := a.Name
		if stack, unit := a.Layer(); stack != nil {
			name = strings.Replace(name, fmt.Sprintf("%s.%d.", stack.Name, unit), stack.Name+".*.", 1)
		}
		key := fmt.Sprint(name, a.Units(), a.Block())
		count[key]++
		if i, ok := at[key]; ok {
			rows[i][2] = fmt.Sprint(count[key])
			continue
		}
		at[key] = len(rows)
		rows = append(rows, []string{a.Tower, name, "1", grouped(a.Units()), fmt.Sprint(a.Block()), members(s, a)})
	}
	return rows
}

// members says in a few words which parameters an axis reaches.
func members(s *nn.Store, a *nn.Axis) string {
	if a.Kind == nn.Blocks {
		n := 0
		for _, p := range s.Params() {
			if stack, unit := p.Layer(); stack == a && unit == 0 {
				n++
			}
		}
		return fmt.Sprintf("a block: %d parameters", n)
	}
	n := len(s.Members(a))
	if n == 1 {
		return "a slice of 1 parameter"
	}
	return fmt.Sprintf("slices of %d parameters", n)
}

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	digits := fmt.Sprint(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// table draws rows, the first of which is the header, with numbers aligned to the right.
func table(w io.Writer, rows [][]string, right ...int) error {
	align := make([]tw.Align, len(rows[0]))
	for i := range align {
		align[i] = tw.AlignLeft
	}
	for _, i := range right {
		align[i] = tw.AlignRight
	}
	t := tablewriter.NewTable(w,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders:  tw.Border{Left: tw.Off, Right: tw.Off, Top: tw.On, Bottom: tw.On},
			Settings: tw.Settings{Separators: tw.Separators{BetweenColumns: tw.Off}},
		})),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithAlignment(align),
	)
	t.Header(rows[0])
	if err := t.Bulk(rows[1:]); err != nil {
		return err
	}
	return t.Render()
}
