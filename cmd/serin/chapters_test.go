package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/serin-cd/serin/internal/repo"
)

// chapters are the pages of which a story runs every command line that stands in a block of shell commands.
var chapters = []string{"deployments/README.md", "cmd/README.md"}

// runElsewhere names the tests that run what needs more than one machine has: the command line, and what stands in the test.
var runElsewhere = map[string]struct{ file, text string }{
	"setup --nats nats://n1:4222,nats://n2:4222,nats://n3:4222 --replicas 3 --from /var/lib/serin": {"internal/e2e/move_test.go", `"--from"`},
	"serve --nats nats://n1:4222,nats://n2:4222,nats://n3:4222 --policies /etc/serin":              {"internal/e2e/move_test.go", `"--nats"`},
}

var (
	typed   = regexp.MustCompile(`^\s*(?:\$ )?(?:source <\()?(?:bin/)?serin ([^|;<>&)]*)`)
	remark  = regexp.MustCompile(`\s+#.*$`)
	inStory = regexp.MustCompile(`(?m)^(?:!? ?exec|exits \d+|eventually \d+) serin (.*?)(?: &\w*&?)?$`)
)

func TestCommandLinesOfTheChaptersAreRun(t *testing.T) {
	run := map[string]bool{}
	stories, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, story := range stories {
		for _, m := range inStory.FindAllStringSubmatch(pageText(t, story), -1) {
			run[strings.TrimSpace(m[1])] = true
		}
	}
	for _, page := range chapters {
		for _, line := range typedLines(pageText(t, filepath.Join("../..", page))) {
			if there, ok := runElsewhere[line]; ok {
				if !strings.Contains(pageText(t, filepath.Join("../..", there.file)), there.text) {
					t.Errorf("%s: `serin %s` was run by %s, which has no %s any more", page, line, there.file, there.text)
				}
			} else if !run[line] {
				t.Errorf("%s: no story in testdata/script runs `serin %s`", page, line)
			}
		}
	}
}

// The chapters show configuration files: each is one, but for the files it names.
func TestConfigurationsOfTheChaptersAreRead(t *testing.T) {
	n := 0
	for _, page := range chapters {
		for _, block := range repo.Blocks(pageText(t, filepath.Join("../..", page))) {
			if block.Lang != "yaml" || !hasConfiguration.MatchString(block.Code) {
				continue
			}
			n++
			s, err := parseSettings(page, []byte(strings.Repeat("\n", block.Line-1)+block.Code))
			if err == nil {
				env := Env{settings: &s, Getenv: func(string) string { return "" }}
				_, err = fill(newServe(env).Flags(), true, env)
			}
			if err == nil {
				_, err = s.receivers()
			}
			if err == nil {
				_, err = s.subjects()
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	if n < 3 {
		t.Errorf("%d configurations in the chapters, want those of settings, inputs and receivers", n)
	}
}

var hasConfiguration = regexp.MustCompile(`(?m)^(serve|inputs|notify):`)

// typedLines are the serin command lines in a page's blocks of shell commands, without the program's name.
func typedLines(page string) []string {
	var all []string
	for _, block := range repo.Blocks(page) {
		if block.Lang != "sh" {
			continue
		}
		for _, line := range strings.Split(strings.ReplaceAll(block.Code, "\\\n", " "), "\n") {
			if m := typed.FindStringSubmatch(remark.ReplaceAllString(line, "")); m != nil {
				all = append(all, strings.Join(strings.Fields(m[1]), " "))
			}
		}
	}
	return all
}

func pageText(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
