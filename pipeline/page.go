package pipeline

import (
	"os"
	"path/filepath"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/page"
	"espalier/pipeline/report"
)

// WritePage writes the report.html of a finished run's folder again, and gives its path. Data that cannot be opened leave the page without its gallery,
// which is told.
func WritePage(folder string, events event.Events) (path string, err error) {
	file := filepath.Join(folder, "report.json")
	if _, err := os.Stat(file); err != nil {
		return "", fault.Inputf("%s has no report.json (%w); name the folder of a finished run", folder, err)
	}
	said, err := report.Read(file)
	if err != nil {
		return "", &fault.InputError{Err: err}
	}
	set, err := openAgain(file, said.Config)
	if err != nil {
		events.Note("the data cannot be opened, and the page is without its gallery: %v", err)
	}
	missing, err := page.Write(folder, set)
	for _, note := range missing {
		events.Note("%s", note)
	}
	return filepath.Join(folder, page.Name), err
}

// openAgain opens a finished run's data to show some of them: no picture is decoded before it is asked for.
func openAgain(file string, resolved map[string]any) (*data.Dataset, error) {
	cfg, err := config.FromResolved(file, resolved)
	if err != nil {
		return nil, err
	}
	from, err := data.Configured(cfg.Data)
	if err != nil {
		return nil, err
	}
	from.MemoryBudget = 1
	return data.Open(from)
}
