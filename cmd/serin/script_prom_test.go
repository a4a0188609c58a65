package main

import (
	"bufio"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/serin-cd/serin/internal/lab/promlab"
)

// startProm is `prometheus VARIABLE FILE INTERVAL`: a server whose URL is in the variable until the story ends. Each line
// of the file is a series and how much it has risen by a second, `up{job="a"} 0.5`, for the last hour; `native` in place
// of a number makes a native histogram.
func startProm(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: prometheus VARIABLE FILE INTERVAL")
	}
	every, err := time.ParseDuration(args[2])
	ts.Check(err)
	store := promlab.NewStore(time.Now, 2*time.Hour)
	lines := bufio.NewScanner(strings.NewReader(ts.ReadFile(args[1])))
	var made []func(passed time.Duration) promlab.Sample
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); line != "" {
			made = append(made, seriesOf(ts, line))
		}
	}
	now := time.Now()
	for passed := time.Duration(0); passed <= time.Hour; passed += every {
		var samples []promlab.Sample
		for _, sample := range made {
			samples = append(samples, sample(passed))
		}
		store.Append(now.Add(passed-time.Hour), samples...)
	}
	server := httptest.NewServer(promlab.NewAPI(store, time.Now))
	ts.Defer(server.Close)
	ts.Setenv(args[0], server.URL)
}

var (
	seriesLine = regexp.MustCompile(`^(\w+)\{(.*)\} (\S+)$`)
	seriesPair = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// seriesOf reads a line, and returns the series' sample after a while.
func seriesOf(ts *testscript.TestScript, line string) func(time.Duration) promlab.Sample {
	m := seriesLine.FindStringSubmatch(line)
	if m == nil {
		ts.Fatalf("no series: %s", line)
	}
	var pairs []string
	for _, pair := range seriesPair.FindAllStringSubmatch(m[2], -1) {
		pairs = append(pairs, pair[1], pair[2])
	}
	if m[3] == "native" {
		return func(passed time.Duration) promlab.Sample { return promlab.Native(passed.Seconds(), m[1], pairs...) }
	}
	rate, err := strconv.ParseFloat(m[3], 64)
	ts.Check(err)
	return func(passed time.Duration) promlab.Sample { return promlab.Float(rate*passed.Seconds(), m[1], pairs...) }
}
