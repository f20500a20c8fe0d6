package pipeline

import (
	"os"
	"path/filepath"

	"espalier/pipeline/config"
	"espalier/pipeline/data"
	"espalier/pipeline/event"
	"espalier/pipeline/fault"
	"espalier/pipeline/journal"
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
	if len(said.Config) == 0 {
		return "", fault.Inputf("%s has no config, which every run writes; name the folder of a finished run", file)
	}
	set, err := OpenAgain(folder, said.Config, 0)
	if err != nil {
		events.Note("the data cannot be opened, and the page is without its gallery: %v", err)
	}
	missing, err := page.Write(folder, set)
	for _, note := range missing {
		events.Note("%s", note)
	}
	return filepath.Join(folder, page.Name), err
}

// OpenAgain opens the data of a finished run's folder to show some of them; resolved is the configuration in its report. No picture is decoded before it
// is asked for, and none is read for its checksum that the run has taken and that is unchanged. few is how many pictures of the test split are
// enough, leaving out rows that cannot be read; 0 is the data as the run had them.
func OpenAgain(folder string, resolved map[string]any, few int) (*data.Dataset, error) {
	cfg, err := config.FromResolved(filepath.Join(folder, journal.ReportName), resolved)
	if err != nil {
		return nil, err
	}
	cfg.Output = folder // it may have been moved
	if d := &cfg.Data; few > 0 {
		d.Train, d.Validation, d.Test, d.OOD, d.OnError = 1, 1, few, 1, "skip"
	}
	return openSet(cfg.Data, openIndex(cfg, sharedFolder(cfg, nil)), 1)
}
