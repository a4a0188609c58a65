package main

import (
	"regexp"
	"strconv"
	"strings"
)

// results are what benchmarks reported: by name, then by unit. Of several runs the highest value counts.
type results map[string]map[string]float64

// processors is what go test puts behind a benchmark's name.
var processors = regexp.MustCompile(`-\d+$`)

// add reads a line, if it is a benchmark's: its name, how often it ran, then values and their units in turn.
func (r results) add(line string) {
	fields := strings.Fields(line)
	if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark") {
		return
	}
	name := processors.ReplaceAllString(strings.TrimPrefix(fields[0], "Benchmark"), "")
	if r[name] == nil {
		r[name] = map[string]float64{}
	}
	for i := 2; i+1 < len(fields); i += 2 {
		v, err := strconv.ParseFloat(fields[i], 64)
		if err != nil {
			return
		}
		if before, ok := r[name][fields[i+1]]; !ok || v > before {
			r[name][fields[i+1]] = v
		}
	}
}

// metric is one value of one benchmark.
type metric struct{ benchmark, unit string }
