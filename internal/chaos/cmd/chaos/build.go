//go:build unix

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// workshop builds programs from the tree in the working directory.
type workshop struct{ bin string }

func (w workshop) program(name string) string { return filepath.Join(w.bin, name) }

// tools builds what every phase needs.
func (w workshop) tools(ctx context.Context) error {
	const here = "./internal/chaos/cmd/"
	for name, pkg := range map[string]string{
		"nats-server": "github.com/nats-io/nats-server/v2", "world": here + "world", "weight": here + "weight", "audit": here + "audit",
	} {
		if err := w.build(ctx, name, pkg); err != nil {
			return err
		}
	}
	return nil
}

func (w workshop) build(ctx context.Context, name, pkg string, args ...string) error {
	args = append([]string{"build", "-o", w.program(name)}, args...)
	if out, err := exec.CommandContext(ctx, "go", append(args, pkg)...).CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", name, err, out)
	}
	return nil
}

// edit replaces one piece of a source file.
type edit struct{ file, old, by string }

// quick makes workers tell the webhook at once: Slack's pace of one message a second would take an hour for a run.
var quick = []edit{
	{"deployments/notify/paced.go", "perSecond        = 1 ", "perSecond        = 1000 "},
	{"deployments/notify/paced.go", "burst            = 3\n", "burst            = 1000\n"},
}

// serin builds the workers' program with edits, by an overlay: the tree stays as it is.
func (w workshop) serin(ctx context.Context, name string, edits []edit) error {
	dir := filepath.Join(w.bin, name+".overlay")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	texts := map[string]string{}
	for _, e := range edits {
		if err := e.apply(texts); err != nil {
			return err
		}
	}
	replace := map[string]string{}
	for file, text := range texts {
		path, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		replace[path] = filepath.Join(dir, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(replace[path], []byte(text), 0o644); err != nil {
			return err
		}
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o644); err != nil {
		return err
	}
	return w.build(ctx, name, "./cmd/serin", "-overlay", file)
}

// apply edits a file's text in texts, which it is read into first.
func (e edit) apply(texts map[string]string) error {
	text, ok := texts[e.file]
	if !ok {
		read, err := os.ReadFile(e.file)
		if err != nil {
			return err
		}
		text = string(read)
	}
	if n := strings.Count(text, e.old); n != 1 {
		return fmt.Errorf("%s has %q %d times instead of once: correct the edit in internal/chaos/cmd/chaos", e.file, e.old, n)
	}
	texts[e.file] = strings.Replace(text, e.old, e.by, 1)
	return nil
}
