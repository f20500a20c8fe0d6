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
		facts = append(facts, fmt.Sprintf("joules an answer %s: %s; %d trials of %.3g s for each network, and idle, in turn",
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
	t := Table{Title: fmt.Sprintf("Energy of an answer, %s (%d pictures at once, %d threads, %s)", j.Basis, j.Batch, j.Threads, j.Device)}
	t.column("network", "", true)
	t.column("J gross", "gross", false)
	t.column("least – most", "gross", false)
	t.column("J net of idle", "net", false)
	t.column("least – most", "net", false)
	t.column("answers/s", "speed", false)
	t.column("basis", "basis", true)
	for _, n := range j.Networks {
		t.Rows = append(t.Rows, []string{n.Name, threeDigits(n.Gross.Median), n.Gross.ends(), threeDigits(n.Net.Median), n.Net.ends(), rate(n.AnswersPerS), string(j.Basis)})
	}
	t.Rows = append(t.Rows, []string{"idle, watts", threeDigits(j.Idle.Median), j.Idle.ends(), none, none, none, string(j.Basis)})
	return t
}

func (s Spread) ends() string { return threeDigits(s.Low) + " – " + threeDigits(s.High) }

func (y *Year) table() Table {
	t := Table{Title: fmt.Sprintf("A year, modelled: kWh saved at each input's ends; break-even for %s kWh", threeDigits(y.Claim))}
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
