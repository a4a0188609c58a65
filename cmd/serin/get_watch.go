package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/serin-cd/serin/deployments"
)

const (
	watchTick = time.Second            // between two drawings, and two questions
	sizeTick  = 200 * time.Millisecond // between two looks at the size of the terminal
)

// watch shows what is to be seen until ctx ends. Whoever does not answer meanwhile is waited for.
func (g *getter) watch(ctx context.Context) error {
	seen, err := g.look(ctx, nil, true)
	if err != nil {
		return err
	}
	topic := ">"
	if g.slot != (deployments.Slot{}) {
		topic = g.slot.Subject() + ".>"
	}
	g.link.listen(topic)
	news := make(chan []looked)
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	asking.Go(func() { g.keepLooking(ctx, seen, news) })
	out := g.shower()
	defer out.end()
	tick := time.NewTicker(watchTick)
	defer tick.Stop()
	resized := time.NewTicker(sizeTick)
	defer resized.Stop()
	for out.show(viewsOf(g.env, patient(seen, g.env.Now())), true); ; {
		select {
		case <-ctx.Done():
			return nil
		case seen = <-news:
			out.show(viewsOf(g.env, patient(seen, g.env.Now())), true)
		case <-tick.C:
			out.show(viewsOf(g.env, patient(seen, g.env.Now())), true)
		case <-resized.C:
			out.show(viewsOf(g.env, patient(seen, g.env.Now())), false)
		}
	}
}

// keepLooking looks each second, and when something is told.
func (g *getter) keepLooking(ctx context.Context, seen []looked, news chan<- []looked) {
	pause := time.NewTicker(watchTick)
	defer pause.Stop()
	for {
		told := false
		select {
		case <-ctx.Done():
			return
		case <-pause.C:
		case <-g.link.heard:
			told = true
		}
		g.link.renew(ctx)
		seen, _ = g.look(ctx, seen, told) // after an error it says since when nobody answers
		select {
		case <-ctx.Done():
			return
		case news <- slices.Clone(seen):
		}
	}
}

// patient leaves out a silence that is short: a slot that changes hands is nobody's for a moment.
func patient(seen []looked, now time.Time) []looked {
	out := slices.Clone(seen)
	for i := range out {
		if now.Sub(out[i].Silent) < bearable {
			out[i].Silent = time.Time{}
		}
	}
	return out
}

// shower shows views one after the other.
type shower interface {
	show(views []view, due bool) // not due: only where the place has changed
	end()
}

func (g *getter) shower() shower {
	f := terminal(g.env)
	switch {
	case g.flags.output == "json":
		return &journalist{g: g, json: true, said: map[string]string{}}
	case f == nil:
		return &journalist{g: g, said: map[string]string{}}
	}
	size := func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 1 || height < 1 {
			return 80, 24
		}
		return width, height
	}
	return newFrames(g, size)
}

// frames draws on a terminal, in place.
type frames struct {
	g             *getter
	size          func() (width, height int)
	width, height int
}

// The sequences of a terminal: its other screen without a cursor, and back; home; to the end of the line, and of the screen.
const (
	screenEnter = "\x1b[?1049h\x1b[?25l"
	screenLeave = "\x1b[?25h\x1b[?1049l"
	cursorHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

func newFrames(g *getter, size func() (int, int)) *frames {
	fmt.Fprint(g.env.Stdout, screenEnter)
	return &frames{g: g, size: size}
}

func (f *frames) end() { fmt.Fprint(f.g.env.Stdout, screenLeave) }

func (f *frames) show(views []view, due bool) {
	width, height := f.size()
	if !due && width == f.width && height == f.height {
		return
	}
	f.width, f.height = width, height
	fmt.Fprint(f.g.env.Stdout, frame(f.lines(views), width))
}

// lines are as many as the terminal has, of its width. Where there are more to show, decisions go first.
func (f *frames) lines(views []view) []string {
	drawn := func() []string {
		text := f.g.draw(views, f.width, f.g.colour())
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	lines := drawn()
	for len(lines) > f.height && len(views) == 1 && len(views[0].Decisions) > 0 {
		views = slices.Clone(views)
		views[0].Decisions = views[0].Decisions[1:]
		lines = drawn()
	}
	if len(lines) > f.height {
		more := fmt.Sprintf("… %d more lines: make the window higher", len(lines)-f.height+1)
		lines = append(lines[:f.height-1:f.height-1], cutTo(more, f.width))
	}
	for i, line := range lines {
		if f.width < 20 { // drawings are at least so wide
			lines[i] = cutTo(uncolour(line), f.width)
		}
	}
	return lines
}

// frame is what puts lines on a terminal: from the top, each cleared to its end, then what is below.
func frame(lines []string, width int) string {
	var b strings.Builder
	b.WriteString(cursorHome)
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(line)
		if displayWidth(uncolour(line)) < width { // behind the last column the cursor still stands on it
			b.WriteString(clearLine)
		}
	}
	b.WriteString(clearBelow + cursorHome)
	return b.String()
}

// uncolour is a drawing without colours.
func uncolour(s string) string {
	var b strings.Builder
	for s != "" {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			break
		}
		_, s, _ = strings.Cut(after, "m")
	}
	return b.String()
}

// journalist prints a view when its state has changed, for people or as JSON.
type journalist struct {
	g    *getter
	json bool
	said map[string]string // the state that was printed last, by slot
}

func (j *journalist) end() {}

func (j *journalist) show(views []view, _ bool) {
	there := map[string]bool{}
	for _, v := range views {
		slot := v.Environment + "/" + v.Service
		there[slot] = true
		if state := v.state(); j.said[slot] != state {
			j.said[slot] = state
			j.print(v)
		}
	}
	for slot := range j.said {
		if !there[slot] {
			delete(j.said, slot)
		}
	}
}

func (j *journalist) print(v view) {
	if j.json {
		_ = json.NewEncoder(j.g.env.Stdout).Encode(v) // a closed pipe ends the process by its signal
		return
	}
	lead := "── " + v.At.Format(time.DateTime+" MST") + " ──\n"
	fmt.Fprint(j.g.env.Stdout, lead+j.g.draw([]view{v}, j.g.width(), false)+"\n")
}

// state is what of a view is worth a line of its own when it changes.
func (v view) state() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %d %t", v.Rollout, v.Rev, v.Silent.IsZero())
	for _, r := range v.Rules {
		fmt.Fprintf(&b, " %s %s", r.Rule, r.Verdict)
	}
	return b.String()
}
