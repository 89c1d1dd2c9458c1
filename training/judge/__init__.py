"""Champion against challenger: measured through the serving path, judged by the gate, told in a report."""
