package bench

import (
	"cmp"
	"context"
	"fmt"
	"runtime"
	"slices"

	"espalier/pipeline/config"
	"espalier/pipeline/energy"
	"espalier/pipeline/report"
	"espalier/torch"
)

// energySeed is that of the Monte Carlo.
const energySeed = 1

// Energy measures the joules of an answer of two checkpoints, in turn, and models the year in which the smaller one takes
// the larger one's place. Without checkpoints it is the year of the paper's own model.
func Energy(ctx context.Context, folders []string, o Options, events func(Event)) (*report.Energy, error) {
	c := config.DefaultEnergy()
	if len(folders) == 0 {
		return &report.Energy{Modelled: report.Modelled{Year: energy.Paper(c, energySeed)}}, nil
	}
	if len(folders) != 2 {
		return nil, &CheckpointError{fmt.Errorf("energy compares two checkpoints, the larger and the smaller; here are %d", len(folders))}
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	torch.SetNumThreads(1) // of an operation; there is a worker for each thread
	subjects, err := openSubjects(folders, o.Device)
	defer freeSubjects(subjects)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(subjects, func(a, b *subject) int { return cmp.Compare(b.net.Store().Count(), a.net.Store().Count()) })
	var networks []energy.Network
	for _, s := range subjects {
		networks = append(networks, energy.Network{Name: s.folder, Answer: func(ctx context.Context) (int, error) { return s.asked(), s.answerTogether(ctx, o.Threads) }})
	}
	if load := thisMachine(o.Threads).Load; load > .5 {
		events(Note{fmt.Sprintf("the machine is busy (load %.1f): counters count that too", load)})
	}
	plan := energy.Plan{Trials: c.Trials, Window: c.Window, Batch: throughputBatch, Threads: o.Threads}
	taken, err := energy.Measure(ctx, energy.Open(energy.PowercapRoot, o.Device), plan, networks)
	if err != nil {
		return nil, err
	}
	return energy.Of(taken, c, energySeed), nil
}
