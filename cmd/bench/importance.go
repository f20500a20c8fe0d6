package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"espalier/bench/truth"
	"espalier/pipeline"
	"espalier/pipeline/config"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
)

// importanceAsked is what the flags say.
type importanceAsked struct {
	of                     string
	units, pictures, steps int
	subsets                folders // AXIS=KEEP
}

func importanceFlags(flags *flag.FlagSet) *importanceAsked {
	a := &importanceAsked{}
	flags.StringVar(&a.of, "importance", "", "hold scores against the true change of the loss instead, for the teacher in the folder of a finished `run`, or of a run.toml with teacher.checkpoint")
	flags.IntVar(&a.units, "units", 24, "units of each axis that -importance takes away, at most")
	flags.IntVar(&a.pictures, "pictures", 64, "validation pictures that -importance asks about, with all their questions")
	flags.Var(&a.subsets, "subsets", "with -importance, also train every way to keep so many units of an axis, as `AXIS=KEEP`; may be repeated")
	flags.IntVar(&a.steps, "steps", 60, "training steps of each of the -subsets")
	return a
}

const resamples = 400

// importance measures scores against the true change of the loss, and draws it.
func importance(ctx context.Context, asked *importanceAsked, threads int, out io.Writer) (_ any, err error) {
	o := truth.Options{Units: asked.units, Pictures: asked.pictures, Resamples: resamples}
	for _, text := range asked.subsets {
		axis, keep, _ := strings.Cut(text, "=")
		n, err := strconv.Atoi(keep)
		if err != nil {
			return nil, fault.Inputf("bench: -subsets %q: write an axis and how many of its units are kept, as qformer.queries=8", text)
		}
		o.Subsets = append(o.Subsets, truth.Subsets{Axis: axis, Keep: n, Steps: asked.steps})
	}
	cfg, err := configOf(asked.of)
	if err != nil {
		return nil, err
	}
	cfg.Threads = threads
	runtime.LockOSThread() // scopes and autograd's modes belong to a thread
	defer runtime.UnlockOSThread()
	a, err := pipeline.OpenApart(cfg, nil)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	r, err := truth.Measure(ctx, a, o, steady(out))
	if err != nil {
		return nil, err
	}
	return r, drawImportance(out, r)
}

// configOf is the configuration of a finished run's folder, or of a run.toml.
func configOf(path string) (*config.Config, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		_, cfg, err := pipeline.ReadRun(path)
		return cfg, err
	}
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return cfg.Resolve()
}

// steady draws a line for each piece of work, and after every hundred units.
func steady(out io.Writer) event.Events {
	return func(e event.Event) {
		switch e := e.(type) {
		case event.Note:
			fmt.Fprintln(out, e.Text)
		case event.Phase:
			fmt.Fprintln(out, strings.TrimSpace(e.Name+" "+e.Detail))
		case event.Progress:
			if e.Unit == "units" && (e.Done%100 == 0 || e.Done == e.Total) {
				fmt.Fprintf(out, "%d of %d units taken away\n", e.Done, e.Total)
			}
		}
	}
}

// drawImportance draws two tables for each change, ways to score by kinds of axis: Spearman's correlation within axes and of all units. Kendall's, and
// those of single towers, are in the JSON file.
func drawImportance(w io.Writer, r *truth.Report) error {
	fmt.Fprintf(w, "%d units taken away one by one; %d validation pictures with %d questions; scores from %d training pictures; seed %d\n",
		len(r.Units), r.Pictures, r.Questions, r.Scored, r.Seed)
	for _, change := range truth.Changes {
		fmt.Fprintf(w, "\nChange of the %s: Spearman's correlation within each axis, mean over the axes (95 %% interval)\n", change)
		if err := draw(w, agreementRows(r, change, func(a truth.Agreement) *truth.Estimate { return a.WithinSpearman })); err != nil {
			return err
		}
		fmt.Fprintf(w, "\nChange of the %s: Spearman's correlation of all units of a kind\n", change)
		if err := draw(w, agreementRows(r, change, func(a truth.Agreement) *truth.Estimate { return a.PooledSpearman })); err != nil {
			return err
		}
	}
	for _, o := range r.Oracles {
		if err := drawOracle(w, &o); err != nil {
			return err
		}
	}
	return nil
}

// agreementRows have a column for each kind, in the order in which they are declared, and a row for each way to score.
func agreementRows(r *truth.Report, change string, of func(truth.Agreement) *truth.Estimate) [][]string {
	cells := map[string]map[string]string{} // by kind and way
	var names []string
	for _, a := range r.Agreements {
		if a.Change != change || a.Tower != "" {
			continue
		}
		if cells[a.Kind] == nil {
			cells[a.Kind] = map[string]string{}
		}
		cells[a.Kind][a.Way] = estimate(of(a))
		cells[a.Kind][""] = fmt.Sprintf("%s %d/%d", a.Kind, a.Units, a.Axes)
		if !slices.Contains(names, a.Way) {
			names = append(names, a.Way)
		}
	}
	slices.Sort(names)
	rows := [][]string{{"score, units/axes"}}
	for _, name := range names {
		rows = append(rows, []string{name})
	}
	for _, kind := range truth.Kinds {
		if column := cells[string(kind)]; column != nil {
			rows[0] = append(rows[0], column[""])
			for i, name := range names {
				rows[i+1] = append(rows[i+1], column[name])
			}
		}
	}
	return rows
}

func estimate(e *truth.Estimate) string {
	if e == nil {
		return "–"
	}
	return fmt.Sprintf("%s (%s, %s)", twoDigits(e.Value), twoDigits(e.Low), twoDigits(e.High))
}

// twoDigits leaves out the zero before the point.
func twoDigits(v float64) string {
	s := strings.Replace(fmt.Sprintf("%.2f", v), "0.", ".", 1)
	return strings.Replace(s, "-", "−", 1)
}

// drawOracle draws what became of the oracle's subset and of those that the ways to score take.
func drawOracle(w io.Writer, o *truth.Oracle) error {
	tau := func(v *float64) string {
		if v == nil {
			return "–"
		}
		return twoDigits(*v)
	}
	fmt.Fprintf(w, "\n%d of %d units of %s, all %d subsets, %d steps each\n", o.Keep, o.Of, o.Axis, len(o.Subsets), o.Steps)
	fmt.Fprintf(w, "Kendall's tau of the loss just after the cut: %s with the loss after training, %s with the share of wrong answers\n", tau(o.TauLoss), tau(o.TauWrong))
	fmt.Fprintf(w, "better than the oracle's after training: %.0f %% by loss, %.0f %% by accuracy\n", 100*o.BeatLoss, 100*o.BeatAccuracy)
	rows := [][]string{{"score", "keeps", "loss, cut", "rank", "loss, trained", "rank", "accuracy %", "rank"}}
	for _, c := range append([]truth.Choice{o.Oracle}, o.Choices...) {
		s := o.Subsets[c.Subset]
		rows = append(rows, []string{c.Way, strings.Trim(fmt.Sprint(s.Keep), "[]"), fmt.Sprintf("%.3f", s.Cut.CrossEntropy), fmt.Sprint(c.RankCut),
			fmt.Sprintf("%.4f", s.Trained.CrossEntropy), fmt.Sprint(c.RankLoss), fmt.Sprintf("%.1f", 100*s.Trained.Accuracy), fmt.Sprint(c.RankAccuracy)})
	}
	return draw(w, rows)
}
