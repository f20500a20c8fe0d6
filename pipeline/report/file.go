package report

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"strconv"
	"strings"

	"espalier/torch/disk"
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
	if err := disk.Write(path, append(text, '\n')); err != nil {
		return fmt.Errorf("report: %w", err)
	}
	return nil
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
			at := path + "." + name
			if v.Type().Field(i).Anonymous { // its fields stand beside the others
				at = path
			}
			if err := finite(at, v.Field(i)); err != nil {
				return err
			}
		}
	}
	return nil
}
