package promlab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/prometheus/prometheus/promql"
)

// notes are a successful answer's warnings and infos.
type notes map[string][]string

// apiError is an error with its place in Prometheus' table of codes.
type apiError struct {
	status int
	kind   string
	err    error
}

func (e apiError) Error() string { return e.err.Error() }
func (e apiError) Unwrap() error { return e.err }

func badData(err error) error { return apiError{http.StatusBadRequest, "bad_data", err} }

func badParam(name string, err error) error {
	return badData(fmt.Errorf("invalid parameter %q: %w", name, err))
}

// statusCanceled is the code for a caller that has gone; net/http has no name for it.
const statusCanceled = 499

// evaluationError places what the engine returned.
func evaluationError(err error) error {
	var canceled promql.ErrQueryCanceled
	var timeout promql.ErrQueryTimeout
	var store promql.ErrStorage
	switch {
	case errors.As(err, &timeout):
		return apiError{http.StatusServiceUnavailable, "timeout", err}
	case errors.As(err, &canceled), errors.Is(err, context.Canceled):
		return apiError{statusCanceled, "canceled", err}
	case errors.As(err, &store):
		return apiError{http.StatusInternalServerError, "internal", err}
	default:
		return apiError{http.StatusUnprocessableEntity, "execution", err}
	}
}

type envelope struct {
	Status    string   `json:"status"`
	Data      any      `json:"data,omitempty"`
	ErrorType string   `json:"errorType,omitempty"`
	Error     string   `json:"error,omitempty"`
	Warnings  []string `json:"warnings,omitempty"`
	Infos     []string `json:"infos,omitempty"`
}

func respond(w http.ResponseWriter, r *http.Request, answer func(*http.Request) (any, notes, error)) {
	data, n, err := answer(r)
	status, body := http.StatusOK, envelope{Status: "success", Data: data, Warnings: n["warnings"], Infos: n["infos"]}
	if err != nil {
		var known apiError
		if !errors.As(err, &known) {
			known = apiError{http.StatusInternalServerError, "internal", err}
		}
		status, body = known.status, envelope{Status: "error", ErrorType: known.kind, Error: err.Error()}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller may have gone; there is nobody else to tell
}
