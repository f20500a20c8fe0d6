package energy

import (
	"fmt"

	"espalier/pipeline/config"
	"espalier/pipeline/report"
)

// Names of the inputs of a year, which are keys of [energy]. What the two networks use is in joules where it is known, and else in
// seconds, which core_watts or device_watts turns into joules.
const (
	teacherJoules  = "teacher_joules"
	studentJoules  = "student_joules"
	teacherSeconds = "teacher_seconds"
	studentSeconds = "student_seconds"
)

// The inputs that hold where the user gives none. No source tells how many requests such a model gets: the paper prints none of its
// assumptions, so that traffic is our guess, with a wide range.
var (
	models      = report.Input{Name: "models", Unit: "models", Low: 1, Base: 1, High: 10, Source: "assumed: one deployed model; the paper names payment, security and advertising, and no number"}
	requests    = report.Input{Name: "requests_per_s", Unit: "1/s, each", Low: 100, Base: 1000, High: 10000, Source: "assumed, mean over a year; Google blocked or removed 5.5 billion advertisements in 2023, 174 a second (Ads Safety Report)"}
	coreWatts   = report.Input{Name: "core_watts", Unit: "W", Low: 2, Base: 4, High: 12, Source: "AMD EPYC 9654: 360 W for 96 cores; low: half a core in a cloud; high: desktop processors, 125 W for 10 cores"}
	deviceWatts = report.Input{Name: "device_watts", Unit: "W", Low: 100, Base: 400, High: 800, Source: "NVIDIA A100 SXM: 400 W at most; low: four requests share a GPU; high: a request takes two"}
	hardware    = report.Input{Name: "hardware", Unit: "factor", Low: .3, Base: 1, High: 2, Source: "assumed: joules of the hardware in service over those of the hardware measured; low: two generations newer, high: one older"}
	server      = report.Input{Name: "server", Unit: "factor", Low: 1.1, Base: 1.5, High: 2.03, Source: "whole server over what is measured; high: NVIDIA DGX A100, 6.5 kW for 8 GPUs of 400 W"}
	pue         = report.Input{Name: "pue", Unit: "factor", Low: 1.1, Base: 1.3, High: 1.58, Source: "low: large operators' own reports; base: China's rule for large new sites from 2023 on; high: Uptime Institute survey 2023, mean"}
)

// overridden is an input, or what the user gives in its place.
func overridden(in report.Input, given *config.Estimate) report.Input {
	if given != nil {
		in.Low, in.Base, in.High, in.Source = given.Low, given.Base, given.High, given.Source
	}
	return in
}

// wattsOf is the power of a busy core that an estimate takes.
func wattsOf(c *config.EnergyConfig) report.Input { return overridden(coreWatts, c.CoreWatts) }

// ofAnswers are the inputs that say what an answer costs: those that the user gives, or else what was taken of two networks. Nil where
// neither is known.
func ofAnswers(t Taken, c *config.EnergyConfig) (report.Basis, []report.Input) {
	if c.TeacherJoules != nil { // then the student's are given too
		joules := func(name string, given *config.Estimate) report.Input {
			return overridden(report.Input{Name: name, Unit: "J"}, given)
		}
		return report.Estimated, []report.Input{joules(teacherJoules, c.TeacherJoules), joules(studentJoules, c.StudentJoules)}
	}
	if len(t.Networks) != 2 {
		return "", nil
	}
	names, unit, what := []string{teacherJoules, studentJoules}, "J", "gross, median of %d trials; the ends are their least and most"
	if t.Basis == report.Estimated {
		names, unit, what = []string{teacherSeconds, studentSeconds}, "CPU s", "CPU seconds of an answer, median of %d trials; the ends are their least and most"
	}
	var inputs []report.Input
	for i, n := range t.Networks {
		inputs = append(inputs, report.Input{Name: names[i], Unit: unit, Low: n.Gross.Low, Base: n.Gross.Median, High: n.Gross.High,
			Source: string(report.Measured) + ": " + fmt.Sprintf(what, t.Plan.Trials)})
	}
	if t.Basis == report.Estimated {
		inputs = append(inputs, wattsOf(c))
	}
	return t.Basis, inputs
}

// Of is what a report says of the energy: the joules that were taken of teacher and student, in this order, and the year.
func Of(t Taken, c *config.EnergyConfig, seed int) *report.Energy {
	e := &report.Energy{Notes: t.Notes}
	if j := t.Joules(wattsOf(c)); t.Basis == report.Measured {
		e.Measured = j
	} else {
		e.Modelled.Joules = j
	}
	if basis, answers := ofAnswers(t, c); answers != nil {
		inputs := append([]report.Input{overridden(models, c.Models), overridden(requests, c.RequestsPerS)}, answers...)
		inputs = append(inputs, overridden(hardware, c.Hardware), overridden(server, c.Server), overridden(pue, c.PUE))
		e.Modelled.Year = yearOf(basis, inputs, c.ClaimKWh, seed)
	}
	return e
}

// Paper is the year of the paper's own model: its latencies, and what else it needs from other sources.
func Paper(c *config.EnergyConfig, seed int) *report.Year {
	const source = "arXiv 2312.05795: the latency of a request; that it keeps a device busy alone is assumed, ends 20 % off"
	return yearOf(report.Estimated, []report.Input{
		overridden(models, c.Models), overridden(requests, c.RequestsPerS),
		{Name: teacherSeconds, Unit: "s", Low: .56, Base: .7, High: .84, Source: source},
		{Name: studentSeconds, Unit: "s", Low: .072, Base: .09, High: .108, Source: source},
		deviceWatts, overridden(hardware, c.Hardware), overridden(server, c.Server), overridden(pue, c.PUE),
	}, c.ClaimKWh, seed)
}
