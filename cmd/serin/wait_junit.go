package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/serin-cd/serin/analysis"
)

// junitSuite is a rollout as a suite of tests: a test a step that was passed, and one a rule that failed.
type junitSuite struct {
	XMLName  xml.Name    `xml:"testsuite"`
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Seconds  string      `xml:"time,attr"`
	Cases    []junitCase `xml:"testcase"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Seconds string        `xml:"time,attr,omitempty"`
	Failure *junitFailure `xml:"failure"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// junit makes the suite. What did not end well without a rule to blame is a test of its own, and so is what ended well
// without a step.
func junit(r waitReport) junitSuite {
	s := junitSuite{Name: ciValue("serin " + r.Service + " " + r.Version + " " + r.Environment), Seconds: fmt.Sprintf("%.3f", r.Seconds)}
	class := ciValue("serin." + r.Environment + "." + r.Service)
	for _, g := range r.stages {
		if g.passed {
			s.Cases = append(s.Cases, junitCase{Class: class, Name: ciValue(g.name), Seconds: fmt.Sprintf("%.3f", max(0, g.ended.Sub(g.began).Seconds()))})
		}
	}
	failure := func(name, message, text string) {
		s.Failures++
		s.Cases = append(s.Cases, junitCase{Class: class, Name: ciValue(name), Failure: &junitFailure{Message: ciValue(message), Type: ciValue(r.verdict()), Text: text}})
	}
	for _, j := range r.failed {
		failure(j.Rule, ruleSaid(j), junitFacts(j))
	}
	switch {
	case r.Exit != exitOK && len(r.failed) == 0:
		failure(r.verdict(), r.headline(), ciValue(r.Reason))
	case len(s.Cases) == 0:
		s.Cases = append(s.Cases, junitCase{Class: class, Name: ciValue(r.verdict())})
	}
	s.Tests = len(s.Cases)
	return s
}

// junitFacts is what a failed rule's verdict rests on.
func junitFacts(j analysis.Judgement) string {
	lines := []string{ruleSaid(j), facts(j)}
	for _, q := range asked(j.Reading) {
		lines = append(lines, q[0]+": "+q[1])
	}
	return cutAt(strings.Join(lines, "\n"), 4000)
}

func writeJUnit(to io.Writer, r waitReport) error {
	text, err := xml.MarshalIndent(junit(r), "", "  ")
	if err == nil {
		_, err = io.WriteString(to, xml.Header+string(text)+"\n")
	}
	return err
}

// writeDotenv writes the facts as variables, which GitLab and shells can read.
func writeDotenv(to io.Writer, r waitReport) error {
	var b strings.Builder
	for _, o := range r.outputs() {
		text := o[1]
		if o[0] == "url" {
			text, _, _ = strings.Cut(text, "&") // to a shell that is another command; the query comes first
		}
		if text = safeValue(text); text != "" {
			fmt.Fprintf(&b, "SERIN_%s=%s\n", strings.ToUpper(strings.ReplaceAll(o[0], "-", "_")), text)
		}
	}
	_, err := io.WriteString(to, b.String())
	return err
}

func writeFile(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = write(f)
	if closed := f.Close(); err == nil {
		err = closed
	}
	return err
}
