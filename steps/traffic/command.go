package traffic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
	"unicode"
)

const (
	defaultGrace = 2 * time.Second
	keptOutput   = 64 << 10 // bytes of each stream; what comes before the last ones is forgotten
	toldOutput   = 600      // bytes of output in an error
	toldLines    = 5
)

// command is one run of a program in a process group of its own.
type command struct {
	argv  []string
	dir   string
	env   []string
	grace time.Duration
}

// run runs the command to its end and returns the end of its standard output. When ctx ends, the whole group is asked to
// end, and killed after the grace. Whatever the group still runs when the program itself has ended is killed too: a
// child that writes later would undo a rollback.
func (c command) run(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", fmt.Errorf("%s: not started: %w", c.argv[0], context.Cause(ctx))
	}
	var stdout, stderr tail
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env = c.dir, c.env
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.WaitDelay = cmp.Or(c.grace, defaultGrace)
	ownGroup(cmd)
	err := cmd.Run()
	killGroup(cmd)
	if err == nil {
		return string(stdout.kept), nil
	}
	return "", c.failure(ctx, err, append(stdout.kept, stderr.kept...))
}

// failure is the error of a run: the program, why it ended, and its last lines.
func (c command) failure(ctx context.Context, err error, output []byte) error {
	switch {
	case ctx.Err() != nil:
		err = fmt.Errorf("stopped (%w): %w", err, context.Cause(ctx))
	case errors.Is(err, exec.ErrWaitDelay):
		err = errors.New("ended, but left processes behind that hold its output; they were killed")
	}
	if said := lastLines(output); said != "" {
		return fmt.Errorf("%s: %w: %s", c.argv[0], err, said)
	}
	return fmt.Errorf("%s: %w", c.argv[0], err)
}

// tail keeps the last bytes written to it. Writing never ends in an error, so that no program dies of its own talk.
type tail struct{ kept []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.kept = append(t.kept, p[max(0, len(p)-keptOutput):]...)
	if over := len(t.kept) - keptOutput; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// lastLines is the end of a program's output, as one line without control characters.
func lastLines(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	text := strings.Join(lines[max(0, len(lines)-toldLines):], " | ")
	if over := len(text) - toldOutput; over > 0 {
		text = "…" + text[over:]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}
