package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/internal/chaos"
)

var asked = regexp.MustCompile(`service="([^"]+)",version="([^"]+)"(?:,step="(\d+)")?`)

// prometheus answers instant queries about a version by what its name says. Below /WORKER/ it knows who asks.
func prometheus(h helper, orders <-chan string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/{worker}/api/v1/query", func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		m := asked.FindStringSubmatch(query)
		if m == nil {
			answer(w, r.FormValue("time"))
			return
		}
		if strings.Contains(query, "increase(requests_total") {
			_ = h.log.Write(chaos.Evaluation{At: time.Now(), By: r.PathValue("worker"), Service: m[1], Version: m[2]})
		}
		step, _ := strconv.Atoi(m[3])
		total, bad := chaos.Requests(m[2], step)
		if strings.Contains(query, "errors_total") {
			total = bad
		}
		answer(w, r.FormValue("time"), total)
	})
	return until(orders, func() error { return http.Serve(h.listener, mux) })
}

// answer writes a vector of the values.
func answer(w http.ResponseWriter, at string, values ...float64) {
	t, err := strconv.ParseFloat(at, 64)
	if err != nil {
		t = float64(time.Now().UnixMilli()) / 1000
	}
	type sample struct {
		Metric map[string]string `json:"metric"`
		Value  [2]any            `json:"value"`
	}
	vector := []sample{}
	for _, v := range values {
		vector = append(vector, sample{map[string]string{}, [2]any{t, fmt.Sprint(v)}})
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": vector}})
}
