package report

import (
	"fmt"
	"strconv"
	"strings"
)

// Tables are the joules of an answer, and the inputs of the year.
func (e *Energy) Tables() []Table {
	var tables []Table
	if j := e.Best(); j != nil {
		tables = append(tables, j.table())
	}
	if e.Modelled.Year != nil {
		tables = append(tables, e.Modelled.Year.table())
	}
	return tables
}

// Facts are the lines below the tables: what the figures stand on.
func (e *Energy) Facts() []string {
	var facts []string
	if j := e.Best(); j != nil {
		facts = append(facts, fmt.Sprintf("joules an answer %s: %s; trials: %d, each %.3g s of every network and of the idle machine, in turn",
			j.Basis, strings.Join(j.Sources, ", "), j.Trials, j.Window))
	}
	if y := e.Modelled.Year; y != nil {
		facts = append(facts, y.Line(), "kWh = "+y.Formula)
		for _, in := range y.Inputs {
			facts = append(facts, in.Name+": "+in.Source)
		}
	}
	return append(facts, e.Notes...)
}

func (j *Joules) table() Table {
	unit, scale := "J", 1.
	if len(j.Networks) > 0 && j.Networks[0].Gross.Median < 1 {
		unit, scale = "mJ", 1e3
	}
	t := Table{About: "energy", Title: fmt.Sprintf("Energy of an answer, %s (%d pictures at once, threads: %d, %s)", j.Basis, j.Batch, j.Threads, j.Device)}
	t.column("network", "", true)
	t.column("basis", "", true)
	for _, head := range []string{unit + " gross", "least – most", unit + " net of idle", "least – most"} {
		t.column(head, "joules", false)
	}
	t.column("answers/s", "speed", false)
	for _, n := range j.Networks {
		gross, net := n.Gross.Times(scale), n.Net.Times(scale)
		t.Rows = append(t.Rows, []string{n.Name, string(j.Basis), threeDigits(gross.Median), gross.ends(), threeDigits(net.Median), net.ends(), rate(n.AnswersPerS)})
	}
	t.Rows = append(t.Rows, []string{"idle, watts", string(j.Basis), threeDigits(j.Idle.Median), j.Idle.ends(), none, none, none})
	return t
}

// Times is a spread in another unit.
func (s Spread) Times(factor float64) Spread {
	return Spread{Median: s.Median * factor, Low: s.Low * factor, High: s.High * factor}
}

func (s Spread) ends() string { return threeDigits(s.Low) + " – " + threeDigits(s.High) }

func (y *Year) table() Table {
	t := Table{About: "energy", Title: fmt.Sprintf("A year, modelled: kWh saved at each input's ends; break-even for %s kWh", threeDigits(y.Claim))}
	t.column("input", "", true)
	t.column("unit", "input", true)
	for _, head := range []string{"low", "base", "high"} {
		t.column(head, "input", false)
	}
	t.column("kWh at low", "saved", false)
	t.column("at high", "saved", false)
	t.column("variance %", "share", false)
	t.column("break-even", "share", false)
	for _, in := range y.Inputs {
		even := none
		if in.BreakEven != nil {
			even = threeDigits(*in.BreakEven)
		}
		t.Rows = append(t.Rows, []string{in.Name, in.Unit, threeDigits(in.Low), threeDigits(in.Base), threeDigits(in.High),
			threeDigits(in.SavedLow), threeDigits(in.SavedHigh), strings.TrimPrefix(signed(100*in.Share), "+"), even})
	}
	return t
}

// threeDigits writes 1.1e12 as 1.1e12 and 18123 as 18,100.
func threeDigits(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if mantissa, exponent, is := strings.Cut(text, "e"); is {
		n, err := strconv.Atoi(exponent)
		if err == nil && n >= 0 && n < 9 {
			rounded, _ := strconv.ParseFloat(text, 64)
			return strings.Replace(count(int64(rounded)), "-", "−", 1)
		}
		text = mantissa + "e" + strconv.Itoa(n)
	}
	return strings.Replace(text, "-", "−", 1)
}
