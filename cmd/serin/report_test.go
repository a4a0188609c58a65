package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/jetstream"
	"github.com/serin-cd/serin/steps"
)

// months is a report of three services, one with a long name, and of strings that try to be markup.
func months() reportOf {
	at := func(minutes float64) time.Time { return ten.Add(time.Duration(minutes * float64(time.Minute))) }
	ended := func(service, version string, o steps.Outcome, c steps.Cause, end float64) deployments.Summary {
		return deployments.Summary{Slot: deployments.Slot{Environment: "production", Service: service}, Rollout: service + "-" + version + "-0a1b2c3d",
			Version: version, Phase: steps.Ended, Outcome: o, Cause: c, Released: at(end - 31), Began: at(end - 30.9), Ended: at(end)}
	}
	bad := ended("checkout", "1.4.1", steps.Restored, steps.ByRules, 60)
	bad.Rules, bad.Step, bad.Turned, bad.Restored = []string{"error-rate", "p95|slow"}, "25 %", at(56), at(59)
	bad.Traffic = []deployments.Traffic{{From: at(29)}, {From: at(30), Percent: 5}, {From: at(50), Percent: 25}, {From: at(56.1)}}
	bad.Fault = &deployments.Fault{Since: at(55), Off: at(56.1), Counts: []deployments.Count{{Rule: "error-rate", At: at(56), Window: 120, Total: 12000, Bad: 1500}}}
	bad.Accounts = &deployments.Accounts{Value: &deployments.Money{Amount: .12, Currency: "EUR"}}
	old := ended("checkout", "1.4.0", steps.Restored, steps.ByLostData, 10)
	old.Confirmed = []float64{5}
	live := ended("cart", "3", "", "", 0)
	live.Phase, live.Ended = steps.Baking, time.Time{}
	long := ended("a-service-with-a-name-that-goes-on-and-on-for-sixty-characters", "**7**<script>\x1b[31m", steps.Promoted, "", 100)
	all := []deployments.Summary{ended("checkout", "1.4.2", steps.Promoted, "", 200), ended("checkout", "1.4.3", steps.Promoted, "", 2000), bad, old, live, long,
		ended("cart", "2", steps.Restored, steps.ByPerson, 20), ended("cart", "1", steps.NeverExposed, steps.NotReady, 15)}
	return reportOf{Report: deployments.NewReport(ten.Add(-24*time.Hour), ten.Add(48*time.Hour), all)}
}

func TestAReportIsReadInATerminalAndInAChat(t *testing.T) {
	for name, print := range map[string]func(*bytes.Buffer) error{
		"report.txt": func(b *bytes.Buffer) error { return reportText(b, months(), true) },
		"report.md":  func(b *bytes.Buffer) error { return reportMarkdown(b, months(), true) },
	} {
		var got bytes.Buffer
		if err := print(&got); err != nil {
			t.Fatal(err)
		}
		if *update {
			if err := os.WriteFile("testdata/"+name, got.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s (-want +got), see -update:\n%s", name, diff)
		}
		for line := range strings.Lines(got.String()) {
			if strings.HasSuffix(name, ".txt") && utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > reportWidth {
				t.Errorf("wider than %d columns: %s", reportWidth, line)
			}
		}
		if strings.Contains(got.String(), "\x1b") || strings.HasSuffix(name, ".md") && strings.Contains(strings.ReplaceAll(got.String(), `\<`, ""), "<") {
			t.Errorf("%s lets markup through:\n%s", name, got.String())
		}
	}
}

func TestReportRefusesWhatItCannotTell(t *testing.T) {
	p := newPast(t)
	for _, tt := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"report", "--data", "data"}, exitOK, "No rollout ended in this time."},
		{[]string{"report", "checkout", "--data", "data", "-o", "markdown"}, exitOK, "No rollout ended in this time."},
		{[]string{"report", "--data", "data", "-o", "json"}, exitOK, `"services": []`},
		{[]string{"report", "-o", "xml"}, exitUsage, "not one of text, json, md"},
		{[]string{"report", "--since", "30"}, exitUsage, "write a duration, as in 30d or 12h, or a day, as in 2026-11-01"},
		{[]string{"report", "--since", "0d"}, exitUsage, "write a duration"},
		{[]string{"report", "--since", "2026-11-21"}, exitUsage, "is yet to come"},
		{[]string{"report", "check out"}, exitUsage, "is not a name"},
		{[]string{"report", "--data", "elsewhere"}, exitUnreachable, "no serin runs on"},
	} {
		p.out.Reset()
		if code := run(t.Context(), tt.args, p.env); code != tt.code || !strings.Contains(p.out.String(), tt.says) {
			t.Errorf("%v: exit status %d, want %d: %s", tt.args, code, tt.code, p.out)
		}
	}
}

// The journal of an earlier version tells less: what it does not know is not made up.
func TestTheReportOfAPastWithoutAccounts(t *testing.T) {
	p := newPast(t)
	p.story()
	p.dispatched()
	says := func(args ...string) reportOf {
		t.Helper()
		p.out.Reset()
		if code := run(t.Context(), append([]string{"report", "--data", "data", "-o", "json"}, args...), p.env); code != exitOK {
			t.Fatalf("exit status %d: %s", code, p.out)
		}
		var r reportOf
		if err := json.Unmarshal(p.out.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	all := says()
	f := all.Total
	if f.Releases != 2 || f.UnderWay != 1 || *f.FailureRate != .5 || *f.Lead.Median != 600 || f.Restore.Known.Known != 0 || f.Restore.Of != 1 || len(all.Rollouts) != 2 {
		t.Errorf("%+v", f)
	}
	for _, args := range [][]string{{"checkout"}, {"--env", "production"}} {
		if r := says(args...); r.Environment != "production" || !cmp.Equal(all.Total.Releases, r.Total.Releases) {
			t.Errorf("%v: %+v", args, r)
		}
	}
	if r := says("--env", "staging"); r.Total.Releases != 0 {
		t.Errorf("in staging: %+v", r)
	}
	if r := says("--since", "100m"); r.Total.Releases != 1 || r.Total.TakenBack != 1 {
		t.Errorf("of the last 100 minutes: %+v", r)
	}
	r := jetstream.Retention{JS: p.js, Journal: p.j, Keep: jetstream.DefaultRetention, Now: func() time.Time { return time.Now().Add(401 * 24 * time.Hour) }}
	if swept, err := r.Sweep(t.Context()); err != nil || swept.Rollouts != 2 {
		t.Fatalf("%+v, %v, want 2 purged", swept, err)
	}
	if diff := cmp.Diff(all.Total.Releases, says().Total.Releases); diff != "" {
		t.Errorf("after the purge: %s", diff)
	}
}

func TestTimesAreSaidAsPeopleSayThem(t *testing.T) {
	for seconds, want := range map[float64]string{0: "0s", 0.04: "0s", 1.26: "1.3s", 60: "1m", 61: "1m1s", 3600: "1h", 3660: "1h1m", 36000: "10h", 90000: "25h", 600: "10m"} {
		if got := lasting(seconds); got != want {
			t.Errorf("%v s is %q, want %q", seconds, got, want)
		}
	}
}

func TestLinesAreBrokenBetweenWords(t *testing.T) {
	var b strings.Builder
	wrap(&b, "label  ", strings.Repeat("x", 65)+" 1234 5 % "+strings.Repeat("y", 80)+" z")
	want := "label  " + strings.Repeat("x", 65) + " 1234\n       5 %\n       " + strings.Repeat("y", 73) + "\n       " + strings.Repeat("y", 7) + " z\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}
