package disk

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// Keep says where work of some length keeps its state, so that it goes on with the same bits when it was interrupted.
type Keep struct {
	Folder string        // empty: nowhere
	Every  time.Duration // how often, 0: never by the clock; never so often that it takes more than 3 % of the time
	Steps  int           // also after so many steps, batches or pictures; 0: only by the clock
	Last   bool          // also after the last step, where more is done before the result is kept
}

// largestShare of the time goes into keeping state.
const largestShare = .03

// PlaceName is the file that says where the work stands, written when everything that it tells of is on the disk.
const PlaceName = "place.json"

// sealed is the file place.json: a place, and its checksum.
type sealed struct {
	Place  json.RawMessage `json:"place"`
	SHA256 string          `json:"sha256"`
}

// WritePlace writes the file of a place into a folder.
func WritePlace(folder string, place any) error {
	text, err := json.Marshal(place)
	if err != nil {
		return err
	}
	if text, err = json.Marshal(sealed{text, checksum(text)}); err != nil {
		return err
	}
	return Write(filepath.Join(folder, PlaceName), text)
}

// ReadPlace is the reverse of [WritePlace]; an error that is fs.ErrNotExist says that there is none.
func ReadPlace(folder string, place any) error {
	path := filepath.Join(folder, PlaceName)
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var s sealed
	if err := json.Unmarshal(text, &s); err != nil || checksum(s.Place) != s.SHA256 {
		return fmt.Errorf("%s is damaged", path)
	}
	return json.Unmarshal(s.Place, place)
}

func checksum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Keeper knows when it is time to keep state.
type Keeper struct {
	Keep
	Note func(text string)
	last time.Time     // of the start, and then of the last time
	cost time.Duration // of the last time
}

// NewKeeper begins now; note is told what goes wrong, and may be nil.
func NewKeeper(k Keep, note func(text string)) Keeper {
	if note == nil {
		note = func(string) {}
	}
	return Keeper{Keep: k, Note: note, last: time.Now()}
}

// Due tells whether it is time after so many steps.
func (k *Keeper) Due(steps int) bool {
	if k.Folder == "" {
		return false
	}
	pause := max(k.Every, time.Duration(float64(k.cost)/largestShare))
	return k.Steps > 0 && steps%k.Steps == 0 || k.Every > 0 && time.Since(k.last) >= pause
}

// Save keeps state. Where that fails it is told, and the work goes on.
func (k *Keeper) Save(what string, write func() error) {
	if k.Folder == "" {
		return
	}
	began := time.Now()
	err := MkdirAll(k.Folder)
	if err == nil {
		err = write()
	}
	if err != nil {
		k.Note(fmt.Sprintf("%s cannot be kept: %v", what, err))
	}
	k.last = time.Now()
	k.cost = k.last.Sub(began)
}
