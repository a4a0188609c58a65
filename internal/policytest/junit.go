package policytest

import (
	"encoding/xml"
	"io"
	"strconv"
	"strings"
)

// suites is a JUnit report, as CI systems read it.
type suites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Time     string   `xml:"time,attr"`
	Suites   []suite  `xml:"testsuite"`
}

type suite struct {
	Name     string  `xml:"name,attr"`
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Time     string  `xml:"time,attr"`
	Cases    []tcase `xml:"testcase"`
}

type tcase struct {
	Name    string   `xml:"name,attr"`
	Class   string   `xml:"classname,attr"`
	File    string   `xml:"file,attr"`
	Line    int      `xml:"line,attr"`
	Time    string   `xml:"time,attr"`
	Failure *failure `xml:"failure"`
}

type failure struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the results as JUnit's XML: a suite for each file. The encoder escapes, and replaces what XML cannot carry.
func JUnit(w io.Writer, results []Result) error {
	out := suites{Tests: len(results), Failures: Failed(results), Time: seconds(results)}
	for _, file := range byFile(results) {
		s := suite{Name: file[0].File, Tests: len(file), Failures: Failed(file), Time: seconds(file)}
		for _, r := range file {
			s.Cases = append(s.Cases, r.junit())
		}
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func (r Result) junit() tcase {
	c := tcase{Name: r.Name, Class: r.File, File: r.File, Line: r.Line, Time: seconds([]Result{r})}
	if r.Passed {
		return c
	}
	var messages []string
	for _, f := range r.Failures {
		messages = append(messages, f.Message)
	}
	var text strings.Builder
	r.explain(&text)
	c.Failure = &failure{Message: strings.Join(messages, "; "), Text: text.String()}
	return c
}

func seconds(results []Result) string {
	sum := 0.0
	for _, r := range results {
		sum += r.Seconds
	}
	return strconv.FormatFloat(sum, 'f', 3, 64)
}
