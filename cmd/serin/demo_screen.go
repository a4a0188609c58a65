package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

// screen shows what happens: lines that stay, and below them, in a terminal, a block that is drawn anew.
type screen struct {
	out   io.Writer
	paint painter
	size  func() (width, height int) // nil: no terminal, and no block
	now   func() time.Time
	began time.Time

	mu    sync.Mutex
	drawn int // lines of the block on the terminal
	block []row
}

// newScreen draws on stdout; beside JSON, in lines on stderr.
func newScreen(env Env, o demoOptions) *screen {
	s := &screen{out: env.Stdout, now: env.Now, began: env.Now()}
	if o.json {
		s.out = env.Stderr
		return s
	}
	f, ok := env.Stdout.(*os.File)
	if !ok || env.Getenv("TERM") == "dumb" || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	s.paint = painter(env.Getenv("NO_COLOR") == "")
	s.size = func() (int, int) {
		width, height, err := term.GetSize(int(f.Fd()))
		if err != nil || width < 20 || height < 5 {
			return 80, 24
		}
		return width, height
	}
	return s
}

// say adds lines that stay.
func (s *screen) say(lines ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.write(lines...)
}

func (s *screen) write(lines ...string) {
	var b strings.Builder
	s.erase(&b)
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	s.redraw(&b)
	_, _ = io.WriteString(s.out, b.String())
}

// draw replaces the block. Without a terminal there is none.
func (s *screen) draw(block []row) {
	if s.size == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	s.erase(&b)
	s.block = block
	s.redraw(&b)
	_, _ = io.WriteString(s.out, b.String())
}

// erase moves to where the block begins and clears from there.
func (s *screen) erase(b *strings.Builder) {
	if s.drawn > 0 {
		fmt.Fprintf(b, "\x1b[%dA\r\x1b[J", s.drawn)
	}
	s.drawn = 0
}

func (s *screen) redraw(b *strings.Builder) {
	if s.size == nil {
		return
	}
	width, height := s.size()
	for _, r := range s.block[:min(len(s.block), height-1)] {
		b.WriteString(r.text(width-1, s.paint) + "\n")
		s.drawn++
	}
}

// title begins a release.
func (s *screen) title(version string) {
	s.say("", row{{"── shop " + version + " ", bold}, {strings.Repeat("─", 60), dim}}.text(78, s.paint))
}

// event shows a public event, but those that only repeat another.
func (s *screen) event(e deployments.Event) {
	switch e.Name {
	case "traffic.requested", "release.accepted":
		return
	}
	text, c := clean(notify.Text(e)), none
	switch mark, _, _ := strings.Cut(text, " "); mark {
	case "✓":
		c = green
	case "✗":
		c = red
	case "?", "‖":
		c = yellow
	}
	s.say(row{{s.stamp(), dim}, {text, c}}.text(unlimited, s.paint))
}

// slack shows a message of Slack's.
func (s *screen) slack(m notify.Message) {
	bar := green
	for _, a := range m.Attachments {
		if a.Color != "#2EB67D" && a.Color != "#808080" {
			bar = red
		}
	}
	var lines []string
	for i, l := range slackText(m) {
		prefix := strings.Repeat(" ", len(s.stamp()))
		if i == 0 {
			l = "Slack: " + l
		}
		lines = append(lines, row{{prefix, none}, {"┃ ", bar}, {l, none}}.text(unlimited, s.paint))
	}
	s.say(lines...)
}

// stamp is the time since the beginning.
func (s *screen) stamp() string {
	return fmt.Sprintf("%5.1fs  ", s.now().Sub(s.began).Seconds())
}
