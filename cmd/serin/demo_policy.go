package main

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/examples"
)

// Above the fastest speed rules would be read more often than every 200 ms.
const (
	slowestDemo = 0.1
	fastestDemo = 5
)

// demoTimes are the times in the demo's policy that its speed divides. What bounds a wait on the world is left as it is.
var demoTimes = regexp.MustCompile(`\b(interval|window|for|bake): *([0-9]+)s\b`)

// demoPolicy is the demo's policy file at a speed.
func demoPolicy(speed float64) (policyFile, error) {
	text := examples.Demo()
	if speed != 1 {
		text = demoTimes.ReplaceAllStringFunc(text, func(found string) string {
			part := demoTimes.FindStringSubmatch(found)
			seconds, err := strconv.Atoi(part[2])
			if err != nil {
				return found // digits alone: it is a number
			}
			return fmt.Sprintf("%s: %dms", part[1], faster(time.Duration(seconds)*time.Second, speed).Milliseconds())
		})
	}
	const name = "demo.yaml"
	policies, findings := deployments.ParsePolicies(name, []byte(text))
	if err := findings.Err(); err != nil {
		return policyFile{}, err
	}
	return policyFile{name, []byte(text), policies}, nil
}

func faster(d time.Duration, speed float64) time.Duration {
	return time.Duration(float64(d) / speed)
}
