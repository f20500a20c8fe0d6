package forecast

import (
	"fmt"

	"espalier/pipeline/report"
)

// Forecast is what a run will be like, before it is started.
type Forecast struct {
	Sizes  []Size   `json:"sizes"`
	Lines  []Line   `json:"times"` // empty where nothing was rehearsed
	Memory Memory   `json:"memory_bytes"`
	Disk   []Place  `json:"disk"`
	Notes  []string `json:"notes"`

	Rehearsed float64 `json:"rehearsed_seconds"` // seconds that the rehearsal took
}

// Size is that of a network that the run makes.
type Size struct {
	Name       string `json:"name"`
	Parameters int64  `json:"parameters"`
	Bytes      int64  `json:"bytes"` // of its weights, as its checkpoint holds them
}

// Memory is that of the run at its peak, bytes.
type Memory struct {
	Estimated int64  `json:"estimated"`
	What      string `json:"estimated_in"`       // the piece of work that the estimate finds the largest
	Measured  int64  `json:"measured,omitempty"` // in the rehearsal, with what the whole of the data adds to it; 0: it was not
	There     int64  `json:"there,omitempty"`    // what the process can have; 0 where the system does not tell
}

// Need is what the run will take: as measured, or else as estimated.
func (m Memory) Need() int64 {
	if m.Measured > 0 {
		return m.Measured
	}
	return m.Estimated
}

// Place is what a run writes to a folder, bytes.
type Place struct {
	What   string `json:"what"`
	Folder string `json:"folder"`
	Bytes  int64  `json:"bytes"`
	Free   int64  `json:"free,omitempty"` // there; 0 where the system does not tell
}

// Tables are the sizes, and the time of each phase where that is known.
func (f *Forecast) Tables() []report.Table {
	sizes := report.Table{Title: "Sizes", Columns: []report.Column{{Head: "network", Left: true}, {Head: "parameters"}, {Head: "ratio"}, {Head: "MB"}}}
	for _, s := range f.Sizes {
		sizes.Rows = append(sizes.Rows, []string{s.Name, report.Count(s.Parameters), fmt.Sprintf("%.1f×", float64(f.Sizes[0].Parameters)/float64(s.Parameters)),
			fmt.Sprintf("%.2f", float64(s.Bytes)/1e6)})
	}
	tables := []report.Table{sizes}
	if len(f.Lines) == 0 {
		return tables
	}
	times := report.Table{Title: "Time", Columns: []report.Column{{Head: "stage", Left: true}, {Head: "work", Left: true}, {Head: "amount"}, {Head: "time"}, {Head: "share"}}}
	all := Seconds(f.Lines)
	for _, l := range f.Lines {
		amount := ""
		if l.Amount > 0 && l.Unit != "" {
			amount = report.Count(int64(l.Amount)) + " " + l.Unit
		}
		times.Rows = append(times.Rows, []string{l.Stage, l.What, amount, report.Duration(l.Seconds), fmt.Sprintf("%.0f %%", 100*l.Seconds/all)})
	}
	times.Rows = append(times.Rows, []string{"all", "", "", report.Duration(all), ""})
	return append(tables, times)
}

// Facts are what stands below the tables.
func (f *Forecast) Facts() (facts []string) {
	m := f.Memory
	text := fmt.Sprintf("memory: %s at the peak", report.Bytes(m.Need()))
	if m.Measured > 0 {
		text += ", as the rehearsal measured it"
	} else {
		text += fmt.Sprintf(" by estimate, in the %s", m.What)
	}
	if m.There > 0 {
		text += fmt.Sprintf("; %s are there", report.Bytes(m.There))
		if m.Need() > m.There {
			text += `: recompute = true, a smaller distil.batch with a larger distil.accumulate, or distil.freeze = ["vision", "embeddings"] needs less`
		}
	}
	facts = append(facts, text)
	for _, p := range f.Disk {
		text := fmt.Sprintf("disk: %s, %s in %s", p.What, report.Bytes(p.Bytes), p.Folder)
		if p.Free > 0 {
			text += fmt.Sprintf("; %s are free", report.Bytes(p.Free))
			if p.Bytes > p.Free {
				text += ", which is too little: free some, or name another folder with output and store"
			}
		}
		facts = append(facts, text)
	}
	return append(facts, f.Notes...)
}
