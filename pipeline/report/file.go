package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// Write puts the report at path, whole or not at all. A number that JSON cannot hold is an error that names it.
func (r *Report) Write(path string) error {
	if err := Finite(r); err != nil {
		return fmt.Errorf("report: %s: %w: it was measured or computed wrongly, and is not written", path, err)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("report: %s: %w", path, err)
	}
	return WriteFile(path, append(text, '\n'))
}

// Read is the reverse of Write. An unknown field is an error: the file is another program's, or another version's.
func Read(path string) (*Report, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	defer file.Close()
	decoder := json.NewDecoder(file)
	decoder.DisallowUnknownFields()
	r := &Report{}
	if err := decoder.Decode(r); err != nil {
		return nil, fmt.Errorf("report: %s: %w: is it the report.json of this version?", path, err)
	}
	return r, nil
}

// WriteFile writes beside path, syncs, and renames, so that a reader finds the old file or the new one, also
// after a power cut.
func WriteFile(path string, data []byte) (err error) {
	folder := filepath.Dir(path)
	file, err := os.CreateTemp(folder, "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("report: %w", err)
	}
	defer func() {
		if err != nil {
			file.Close()
			os.Remove(file.Name())
			err = fmt.Errorf("report: %w", err)
		}
	}()
	if _, err = file.Write(data); err != nil {
		return err
	}
	if err = file.Chmod(0o644); err != nil { // CreateTemp's files are their owner's alone
		return err
	}
	if err = file.Sync(); err != nil {
		return err
	}
	if err = file.Close(); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), path); err != nil {
		return err
	}
	// The rename itself is on disk only when the folder is.
	dir, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// Finite names the first number within v that is NaN or infinite, by its path in the JSON.
func Finite(v any) error { return finite("", reflect.ValueOf(v)) }

func finite(path string, v reflect.Value) error {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Errorf("%s is %v", strings.TrimPrefix(path, "."), f)
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return finite(path, v.Elem())
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := finite(path+"["+strconv.Itoa(i)+"]", v.Index(i)); err != nil {
				return err
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if err := finite(path+"."+fmt.Sprint(key), v.MapIndex(key)); err != nil {
				return err
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
			if name == "" {
				name = v.Type().Field(i).Name
			}
			if err := finite(path+"."+name, v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
