package main

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/steps"
)

// watched is a getter whose output is kept.
func watched(o getFlags) (*getter, *bytes.Buffer) {
	var out bytes.Buffer
	g := &getter{flags: &o, slot: scene().Slot,
		env: Env{Stdout: &out, Getenv: func(string) string { return "" }, Now: func() time.Time { return sceneNow }}}
	return g, &out
}

func TestFramesAreDrawnInPlaceAndTheScreenIsGivenBack(t *testing.T) {
	g, out := watched(getFlags{})
	size := [2]int{80, 24}
	f := newFrames(g, func() (int, int) { return size[0], size[1] })
	views := []view{newView(sceneNow, scene())}
	f.show(views, true)
	first := out.String()
	f.show(views, false)
	if out.String() != first {
		t.Error("a frame was drawn although nothing was due and the size is the same")
	}
	size = [2]int{60, 24}
	f.show(views, false)
	if !strings.Contains(out.String()[len(first):], cursorHome) {
		t.Error("another size is not drawn at once")
	}
	f.end()
	all := out.String()
	if !strings.HasPrefix(all, screenEnter+cursorHome) || !strings.HasSuffix(all, cursorHome+screenLeave) {
		t.Errorf("it begins %q and ends %q", all[:40], all[len(all)-40:])
	}
	if strings.Contains(all, "\x1b[2J") || strings.Count(all, screenEnter) != 1 {
		t.Error("the whole screen is cleared while drawing")
	}
}

func TestAFrameFitsItsTerminal(t *testing.T) {
	g, _ := watched(getFlags{})
	for name, l := range scenes() {
		for _, size := range [][2]int{{80, 24}, {80, 12}, {120, 50}, {7, 3}, {1, 1}, {33, 18}} {
			f := &frames{g: g, width: size[0], height: size[1]}
			lines := f.lines([]view{newView(sceneNow, l)})
			if len(lines) > size[1] {
				t.Errorf("%s has %d lines in %v", name, len(lines), size)
			}
			for _, line := range lines {
				if displayWidth(uncolour(line)) > size[0] {
					t.Errorf("%s in %v: %q is too wide", name, size, line)
				}
			}
		}
	}
}

func TestALowWindowLosesDecisionsFirstAndSaysWhatElseIsMissing(t *testing.T) {
	g, _ := watched(getFlags{})
	v := newView(sceneNow, scene())
	all := strings.Count(render(v, 80, false), "\n")
	f := &frames{g: g, width: 80, height: all - 2}
	if text := strings.Join(f.lines([]view{v}), "\n"); !strings.Contains(text, "14:16:00  25 % confirmed") || strings.Contains(text, "14:09:50") {
		t.Errorf("two lines short it shows\n%s", text)
	}
	f.height = 6
	if lines := f.lines([]view{v}); len(lines) != 6 || !strings.Contains(lines[5], "more lines: make the window higher") {
		t.Errorf("of 6 lines the last is %q", lines[len(lines)-1])
	}
}

func TestALineAsWideAsTheTerminalIsNotClearedBehind(t *testing.T) {
	if got, want := frame([]string{"ab", "abc", "漢x"}, 3), cursorHome+"ab"+clearLine+"\r\nabc\r\n漢x"+clearBelow+cursorHome; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestAwayFromATerminalEachChangeIsPrintedOnce(t *testing.T) {
	g, out := watched(getFlags{})
	j := g.shower()
	l := scene()
	show := func(now time.Time) { j.show([]view{newView(now, l)}, true) }
	show(sceneNow)
	show(sceneNow.Add(time.Second)) // the countdown alone is no change
	if n := strings.Count(out.String(), "── 2026"); n != 1 {
		t.Errorf("%d blocks of one state", n)
	}
	l.Rev++
	show(sceneNow.Add(2 * time.Second))
	l.Silent = sceneNow
	show(sceneNow.Add(12 * time.Second))
	text := out.String()
	if n := strings.Count(text, "── 2026"); n != 3 || strings.Contains(text, "\x1b") || !strings.Contains(text, "no answer from a worker for 12s") {
		t.Errorf("%d blocks, want 3 without escapes:\n%s", n, text)
	}
}

func TestJSONIsOneLineAChange(t *testing.T) {
	g, out := watched(getFlags{output: "json"})
	j := g.shower()
	l := scene()
	for i := range 3 {
		l.Rev = uint64(9 + i/2)
		j.show([]view{newView(sceneNow, l)}, true)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	var v view
	if len(lines) != 2 || json.Unmarshal([]byte(lines[1]), &v) != nil || v.Rev != 10 || v.Sentence == "" {
		t.Errorf("%d lines, the second is %+v", len(lines), v)
	}
}

func TestAShortSilenceIsNotTold(t *testing.T) {
	for after, told := range map[time.Duration]bool{time.Second: false, 4 * time.Second: true} {
		if got := patient([]looked{{Silent: before(after)}}, sceneNow)[0]; got.Silent.IsZero() == told {
			t.Errorf("after %v: %v", after, got.Silent)
		}
	}
}

// planned gives the last entry of a past a plan, as real ones have.
func (p *past) planned() {
	p.story()
	r := *p.last.State.Rollout
	r.Plan = scene().State.Rollout.Plan
	r.Want, r.StepBegan, r.Since, r.Phase = 500, ten.Add(119*time.Minute), ten.Add(119*time.Minute), steps.Baking
	p.write(119, r)
}

func TestASlotIsShownFromItsJournalWhereNoWorkerRuns(t *testing.T) {
	p := newPast(t)
	p.planned()
	get := func(args ...string) (string, int) {
		p.out.Reset()
		code := run(t.Context(), append([]string{"get", "--data", "data"}, args...), p.env)
		return p.out.String(), code
	}
	text, code := get("checkout")
	for _, want := range []string{"checkout  1.2 ← 1.0", "5 % of traffic, confirmed; 4m more to bake", "▶   5 %", "11:59:00"} {
		if code != exitOK || !strings.Contains(text, want) {
			t.Errorf("status %d, %q is missing in\n%s", code, want, text)
		}
	}
	var v view
	if text, _ := get("checkout", "-o", "json"); json.Unmarshal([]byte(text), &v) != nil || v.Rollout != "checkout-1.2-cc" || len(v.Decisions) != 3 || v.Silent.IsZero() {
		t.Errorf("as JSON it is %s", text)
	}
	var all []view
	if text, _ := get("-o", "json"); json.Unmarshal([]byte(text), &all) != nil || len(all) != 1 || all[0].Version != "1.2" {
		t.Errorf("all are %s", text)
	}
	if text, code := get("nobody"); code != exitOK || !strings.Contains(text, "Nothing was released here yet") {
		t.Errorf("of a service without releases it says, with status %d, %s", code, text)
	}
	for _, bad := range [][]string{{"a.b"}, {"checkout", "-o", "yaml"}} {
		if _, code := get(bad...); code != exitUsage {
			t.Errorf("%q ends with status %d", bad, code)
		}
	}
}

// safeBuffer may be written and read at once.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func TestWatchingFollowsTheNextRolloutAndEndsWellWhenInterrupted(t *testing.T) {
	p := newPast(t)
	p.planned()
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	var out safeBuffer
	env := p.env
	env.Stdout = &out
	ctx, interrupt := context.WithCancel(t.Context())
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"get", "checkout", "-w", "--data", "data"}, env) }()
	await := func(text string) {
		t.Helper()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(out.String(), text); {
			if time.Now().After(deadline) {
				t.Fatalf("%q is not shown:\n%s", text, out.String())
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	await("checkout  1.2")
	r := *p.last.State.Rollout
	r.Phase, r.Outcome, r.Confirmed = steps.Ended, steps.Promoted, steps.All
	p.write(119, r)
	await("Promoted at")
	next := steps.Rollout{ID: "checkout-1.3-dd", Version: "1.3", Stable: "1.2", Phase: steps.Pending, Plan: r.Plan}
	p.write(119, next)
	await("checkout  1.3 ← 1.2")
	interrupt()
	if got := <-code; got != exitOK || strings.Contains(out.String(), "\x1b") {
		t.Errorf("status %d of\n%s", got, out.String())
	}
}

func TestEntriesAreReadBackToTheRolloutsFirstAndOnFromTheKnown(t *testing.T) {
	p := newPast(t)
	p.planned()
	f := natsFlags{data: "data"}
	r, err := f.dial(t.Context(), p.env)
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	s := deployments.Slot{Environment: "production", Service: "checkout"}
	revs := func(known []deployments.Entry, last deployments.Entry) (out []uint64) {
		entries, err := newerEntries(t.Context(), r, s, known, last)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, e.Rev)
		}
		return out
	}
	last, err := r.reader().Last(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	if got := revs(nil, last); len(got) != 3 || got[2] != last.Rev {
		t.Errorf("read anew they are %v", got)
	}
	known, _ := newerEntries(t.Context(), r, s, nil, last)
	if got := revs(known[:1], last); len(got) != 3 {
		t.Errorf("beside the first they are %v", got)
	}
	if got := revs(known, last); len(got) != 3 {
		t.Errorf("with nothing new they are %v", got)
	}
	for range keptEntries {
		p.write(119, *p.last.State.Rollout)
	}
	last, _ = r.reader().Last(t.Context(), s)
	if got := revs(known, last); len(got) != keptEntries || got[keptEntries-1] != last.Rev || got[0] != last.Rev-keptEntries+1 {
		t.Errorf("of many they are %v", got)
	}
}
