package repo

import (
	"regexp"
	"strings"
)

// Block is a fenced code block of a Markdown file.
type Block struct {
	Line int    // of its first line of code, from 1
	Lang string // the word after the fence; "" without one
	Code string
}

// Blocks returns the fenced code blocks of a Markdown text, in their order.
func Blocks(markdown string) []Block {
	var blocks []Block
	var open *Block
	for i, line := range strings.Split(markdown, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &Block{Line: i + 2, Lang: strings.TrimSpace(fence)}
		case isFence:
			blocks = append(blocks, *open)
			open = nil
		case open != nil:
			open.Code += line + "\n"
		}
	}
	return blocks
}

// shells are the languages of blocks whose lines are commands. A block without a language counts as one.
var shells = map[string]bool{"": true, "sh": true, "bash": true, "shell": true, "console": true}

var (
	inlineCode = regexp.MustCompile("`([^`\n]+)`")
	prompt     = regexp.MustCompile(`^\s*(?:\$ )?(?:\w+=\S+ )*`) // also variables set for one command
	comment    = regexp.MustCompile(`\s#.*$|[|;&>].*$`)
)

// Commands returns the command lines of a Markdown text that run the program, by its name or by a path to it: from
// blocks of shell commands and from inline code. Each is split at spaces; comments, pipes and redirections are cut off.
func Commands(markdown, program string) [][]string {
	var lines []string
	text := markdown
	for _, b := range Blocks(markdown) {
		text = strings.Replace(text, b.Code, "", 1)
		if shells[b.Lang] {
			lines = append(lines, strings.Split(strings.ReplaceAll(b.Code, "\\\n", " "), "\n")...)
		}
	}
	for _, m := range inlineCode.FindAllStringSubmatch(text, -1) {
		lines = append(lines, m[1])
	}
	var commands [][]string
	for _, line := range lines {
		words := strings.Fields(comment.ReplaceAllString(prompt.ReplaceAllString(line, ""), ""))
		if len(words) > 1 && (words[0] == program || strings.HasSuffix(words[0], "bin/"+program)) {
			commands = append(commands, words)
		}
	}
	return commands
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// Links returns where the links of a Markdown text lead inside the repository, without fragments.
func Links(markdown string) []string {
	var targets []string
	for _, m := range link.FindAllStringSubmatch(markdown, -1) {
		target, _, _ := strings.Cut(m[1], "#")
		if target != "" && !strings.Contains(target, "://") && !strings.HasPrefix(target, "mailto:") {
			targets = append(targets, target)
		}
	}
	return targets
}
