"""The web portal: pages for requesters, recipients and operators."""
