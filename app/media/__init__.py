"""Pictures that staff uploaded: checked, decoded, encoded anew without metadata, kept under the instance folder.

May import db and what lies below. Who may upload is the back-office's business; serving is the site's.
"""
