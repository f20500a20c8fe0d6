// Package energy measures the joules of answers, by counters where they can be read, and models what a year of answers saves.
package energy

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"espalier/pipeline/process"
	"espalier/pipeline/report"
	"espalier/torch"
)

// Source is a cumulative counter of joules.
type Source interface {
	Name() string
	Joules() (float64, error) // since some moment; it never falls
}

// Clock is the time of a measurement; tests have their own.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// Machine is what there is to measure with.
type Machine struct {
	Counters []Source
	CPUTime  func() (float64, error) // seconds of all threads of this process
	Clock    Clock
	Notes    []string // what cannot be read, and why
	Device   torch.Device
	Name     string // of the device
}

// PowercapRoot is where Linux shows the counters of Intel's and AMD's processors.
const PowercapRoot = "/sys/class/powercap"

// Open looks for the counters of a device: those of the CPU below root, and the GPU's where the device is one.
func Open(root string, on torch.Device) Machine {
	m := Machine{CPUTime: cpuTime, Clock: wallClock{}, Device: on, Name: process.CPU()}
	if on.IsCUDA() {
		m.Name = on.String()
		gpu, err := openGPU(int(on))
		if err != nil { // without it the CPU's joules would be taken for all
			m.Notes = append(m.Notes, fmt.Sprintf("energy: the GPU's counter cannot be read (%v): there are no joules of an answer", err))
			return m
		}
		m.Counters, m.Name = append(m.Counters, gpu), gpu.Name()
	}
	cpu, notes, err := openPowercap(root)
	m.Notes = append(m.Notes, notes...)
	switch {
	case err == nil:
		m.Counters = append(m.Counters, cpu...)
		m.Notes = append(m.Notes, "energy: the CPU's counters are those of the whole machine: what else runs on it is in the gross figures")
	case on.IsCUDA():
		m.Notes = append(m.Notes, fmt.Sprintf("energy: the CPU has no counter that can be read (%v): the joules are the GPU's alone", err))
	default:
		m.Notes = append(m.Notes, fmt.Sprintf("energy: no counter can be read (%v): the joules are ESTIMATED from CPU time and a stated power of a core", err))
	}
	return m
}

// basis is that of the joules which this machine can tell; empty where it can tell none.
func (m Machine) basis() report.Basis {
	switch {
	case len(m.Counters) > 0:
		return report.Measured
	case m.Device.IsCUDA():
		return ""
	}
	return report.Estimated
}

// cpuTime is what getrusage tells of this process.
func cpuTime() (float64, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, fmt.Errorf("energy: getrusage: %w", err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9, nil
}

type wallClock struct{}

func (wallClock) Now() time.Time { return time.Now() }

func (wallClock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
